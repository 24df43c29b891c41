{# Keys and lists: one way to make an identity, one way to read a list out of a seed. #}

{# A stable identity of the given expressions; null is distinct from the empty text. #}
{% macro identity(expressions) -%}
    md5(concat_ws('|', {% for expression in expressions -%}
        coalesce(cast({{ expression }} as varchar), '~')
        {%- if not loop.last %}, {% endif %}{% endfor %}))
{%- endmacro %}

{# A list cell of a seed, such as `erp.fulfilment_lines|wms.shipment_lines`, as a DuckDB list. #}
{% macro list_of(column) -%}
    list_filter(string_split(coalesce({{ column }}, ''), '|'), lambda entry: entry <> '')
{%- endmacro %}

{# Mapping method of a code: `seed` when the map knows it, `unmapped` when it is on the work list. #}
{% macro mapping_method(source_column, mapped_column) -%}
    case
        when {{ source_column }} is null then 'absent'
        when {{ mapped_column }} is null then 'unmapped'
        else 'seed'
    end
{%- endmacro %}
