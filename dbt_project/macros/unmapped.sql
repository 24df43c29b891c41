{# Codes of a feed that a seed should know and does not, one row a value. #}

{% macro _unmapped_select(connector, entity, field) -%}
    select
        '{{ connector }}' as connector,
        landed._system as system,
        '{{ entity }}' as entity,
        '{{ field }}' as field_name,
        cast(landed.{{ field }} as varchar) as source_value,
        count(distinct landed._record_id) as record_count,
        min(landed._extracted_at) as first_seen_at,
        max(landed._extracted_at) as last_seen_at,
        min(landed._record_id) as sample_record_id
    from {{ source('landing', connector ~ '__' ~ entity) }} as landed
{%- endmacro %}

{% macro unmapped_statuses(connector, entity, field) -%}
    {{ _unmapped_select(connector, entity, field) }}
    anti join {{ ref('status_map') }} as known
        on
            known.connector = '{{ connector }}'
            and known.entity = '{{ entity }}'
            and known.field = '{{ field }}'
            and cast(landed.{{ field }} as varchar) = known.source_value
    where landed.{{ field }} is not null
    group by landed._system, landed.{{ field }}
{%- endmacro %}

{% macro unmapped_movement_types(connector, entity, field) -%}
    {{ _unmapped_select(connector, entity, field) }}
    anti join {{ ref('movement_types') }} as known
        on
            known.connector = '{{ connector }}'
            and known.entity = '{{ entity }}'
            and landed.{{ field }} = known.source_type
    where landed.{{ field }} is not null
    group by landed._system, landed.{{ field }}
{%- endmacro %}

{# `among`: a condition on the landed records, where not all of them are of interest. #}
{% macro unmapped_locations(connector, entity, field, among='true') -%}
    {{ _unmapped_select(connector, entity, field) }}
    anti join {{ ref('location_map') }} as known
        on
            known.connector = '{{ connector }}'
            and landed.{{ field }} = known.source_location
    where landed.{{ field }} is not null and {{ among }}
    group by landed._system, landed.{{ field }}
{%- endmacro %}

{# Codes that the connector itself should have translated: `translation` is what it made of them. #}
{% macro untranslated(connector, entity, field, translation) -%}
    {{ _unmapped_select(connector, entity, field) }}
    where landed.{{ field }} is not null and landed.{{ translation }} is null
    group by landed._system, landed.{{ field }}
{%- endmacro %}
