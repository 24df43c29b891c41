{# What A and B must share, as the rule row says; null when a part of it is not known. #}
{% macro match_key(parts, relation) -%}
    case when list_contains({{ parts }}, 'object') then {{ relation }}.object_id else '' end
        || '|'
        || case when list_contains({{ parts }}, 'document') then {{ relation }}.document else '' end
        || '|'
        || case when list_contains({{ parts }}, 'item') then {{ relation }}.item_id else '' end
        || '|'
        || case
            when list_contains({{ parts }}, 'location') then {{ relation }}.location_id else ''
        end
{%- endmacro %}
