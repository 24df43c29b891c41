{# The union of adapters; they give the same columns, matched by name. One that is missing is null. #}
{% macro union_of(adapters) -%}
    {% for adapter in adapters -%}
        select * from {{ ref(adapter) }}
        {%- if not loop.last %}

        union all by name
        {% endif %}
    {% endfor %}
{%- endmacro %}
