{# What an amount of money is held as. #}

{#
    A value that a column of ours can hold. More than that is a slip (a bar code that was scanned as
    a quantity): it becomes the greatest there is, so that a person is asked, and stops nothing.
#}
{% macro held_value(expression) -%}
    cast(
        case
            when abs({{ expression }}) < 1000000000000 then {{ expression }}
            when {{ expression }} is not null then sign({{ expression }}) * 999999999999
        end as decimal(18, 6)
    )
{%- endmacro %}
