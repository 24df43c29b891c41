{#
    What became of a cross reference: null without one, else `resolved` (its target holds a number),
    `target_without_value` (it exists and holds none), `ambiguous` or `dangling`.
#}
{% macro reference_resolution(reference, target, value) -%}
    case
        when {{ reference }} is null then null
        when {{ target }}.target_count is null then 'dangling'
        when {{ target }}.target_count > 1 then 'ambiguous'
        when {{ target }}.{{ value }} is null then 'target_without_value'
        else 'resolved'
    end
{%- endmacro %}
