{#
    A calendar day of the system's zone as an inclusive bracket in UTC: `_from` its first instant,
    `_to` its last microsecond, so that "by that day" holds until midnight and not a moment longer.
    No clock correction: whoever writes a date looks at a calendar.
#}
{% macro local_day(column, name) -%}
    {{ local_time('cast(' ~ column ~ ' as timestamp)') }} as {{ name }}_from,
    {{ local_time('cast(' ~ column ~ ' as timestamp) + interval 1 day') }}
    - interval 1 microsecond as {{ name }}_to
{%- endmacro %}
