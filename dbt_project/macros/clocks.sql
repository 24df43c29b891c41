{# From what a source's clock said to UTC, as a bracket: `_at` (best), `_from` and `_to` (certain). #}

{# An instant on the source's clock, corrected by the offset measured in its extraction. #}
{% macro instant(expression, name) -%}
    {{ bracket(expression, name) }},
    {{ expression }} - clock_ahead as {{ name }}_at
{%- endmacro %}

{# The same without a best guess, for a time whose `_at` stays as the source tells it. #}
{% macro bracket(expression, name) -%}
    {{ expression }} - clock_ahead_most as {{ name }}_from,
    {{ expression }} - clock_ahead_least as {{ name }}_to
{%- endmacro %}

{# Milliseconds since 1970 on the source's clock. #}
{% macro epoch_ms_instant(column, name) -%}
    {{ instant('make_timestamptz(' ~ column ~ ' * 1000)', name) }}
{%- endmacro %}

{#
    An expression over `time_zone`, with each configured zone (`time_zones`, see dbt_build.py) as a
    constant. By column, DuckDB makes a calendar for every row, which was a third of order_events;
    a zone that is not configured any more is as right, only slower.
#}
{% macro by_time_zone(expression) -%}
    {%- set zones = var('time_zones', []) -%}
    {%- if zones -%}
    case time_zone
        {%- for zone in zones %}
        when '{{ zone }}' then {{ expression | replace('time_zone', "'" ~ zone ~ "'") }}
        {%- endfor %}
        else {{ expression }}
    end
    {%- else -%}
    {{ expression }}
    {%- endif -%}
{%- endmacro %}

{# A naive local time of the system's zone as an instant. #}
{% macro local_time(expression) -%}
    {{ by_time_zone('timezone(time_zone, ' ~ expression ~ ')') }}
{%- endmacro %}

{#
    Naive local time of the system's zone, to the second or to another precision. When daylight
    saving ends one hour occurs twice: nothing tells which one was meant, so the bracket holds both.
    DuckDB takes the later one.
#}
{% macro local_instant(column, name, precision='1 second') -%}
    {{ by_time_zone(_earliest_reading(column)) }} - clock_ahead_most as {{ name }}_from,
    {{ local_time(column) }} + interval {{ precision }} - clock_ahead_least as {{ name }}_to,
    {{ local_time(column) }} - clock_ahead as {{ name }}_at
{%- endmacro %}

{% macro _earliest_reading(column) -%}
    case
        when
            timezone(time_zone, timezone(time_zone, {{ column }}) - interval 1 hour) = {{ column }}
            then timezone(time_zone, {{ column }}) - interval 1 hour
        else timezone(time_zone, {{ column }})
    end
{%- endmacro %}

{# A number of seconds, possibly with a fraction, as an interval. #}
{% macro seconds(expression) -%}
    to_microseconds(cast(({{ expression }}) * 1000000 as bigint))
{%- endmacro %}

{#
    When a time that people may set freely was written. Not before it was true, and not before the
    last look that did not show it; not after the record's own last update in this version.
#}
{% macro written_from(name) -%}
    case
        when {{ name }}_at is not null then greatest(
            {{ name }}_from, case when version_number > 1 then previous_watermark_at end
        )
    end
{%- endmacro %}

{% macro written_to(name) -%}
    case when {{ name }}_at is not null then greatest({{ name }}_to, updated_to) end
{%- endmacro %}

{#
    One bound of when it happened: as the source tells it, else as wide as when it was recorded is,
    which holds both the clock and a day that is told without its hour. Two instants are not taken
    from each other, for which DuckDB asks a calendar.
#}
{% macro occurred_bracket(bound, prefix='') -%}
    coalesce(
            {{ prefix }}occurred_{{ bound }},
            {{ prefix }}occurred_at
            {{ '-' if bound == 'from' else '+' }} to_microseconds(
                epoch_us({{ prefix }}recorded_to) - epoch_us({{ prefix }}recorded_from)
            ),
            {{ prefix }}recorded_{{ bound }}
        )
{%- endmacro %}
