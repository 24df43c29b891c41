{# Codes of a feed that a seed should know and does not, one row a value. #}

{#
    `known` is the anti join that drops the codes that are known, `condition` what else must hold.
    `code_kind` says what the code is: status, movement_type, location, item, party, unit or
    document. A code is cleared once every record that told it has told something else since.
    `least`: of how many records it takes to be wrong.
#}
{% macro _unmapped(connector, entity, field, code_kind, known='', condition='true', least=1) -%}
    select
        '{{ connector }}' as connector,
        told.system,
        '{{ entity }}' as entity,
        '{{ field }}' as field_name,
        '{{ code_kind }}' as code_kind,
        told.source_value,
        count(*) as record_count,
        {% if least == 1 -%}
            min(told.first_seen_at)
        {%- else -%}
            list_sort(list(told.first_seen_at))[{{ least }}]
        {%- endif %} as first_seen_at,
        max(told.last_seen_at) as last_seen_at,
        case when count(*) - count(told.cleared_at) < {{ least }} then max(told.cleared_at) end
            as cleared_at,
        min(told.record_id) as sample_record_id
    from (
        select
            unknown.*,
            min(later._extracted_at) as cleared_at
        from (
            select
                landed._system as system,
                landed._record_id as record_id,
                cast(landed.{{ field }} as varchar) as source_value,
                min(landed._extracted_at) as first_seen_at,
                max(landed._extracted_at) as last_seen_at
            from {{ source('landing', connector ~ '__' ~ entity) }} as landed
            {{ known }}
            where landed.{{ field }} is not null and {{ condition }}
            group by landed._system, landed._record_id, landed.{{ field }}
        ) as unknown
        left join {{ source('landing', connector ~ '__' ~ entity) }} as later
            on
                unknown.system = later._system
                and unknown.record_id = later._record_id
                and unknown.last_seen_at < later._extracted_at
        group by all
    ) as told
    group by told.system, told.source_value
{%- endmacro %}

{% macro unmapped_statuses(connector, entity, field) -%}
    {% set known -%}
        anti join {{ ref('status_map') }} as known
            on
                known.connector = '{{ connector }}'
                and known.entity = '{{ entity }}'
                and known.field = '{{ field }}'
                and cast(landed.{{ field }} as varchar) = known.source_value
    {%- endset %}
    {{ _unmapped(connector, entity, field, 'status', known) }}
{%- endmacro %}

{% macro unmapped_movement_types(connector, entity, field) -%}
    {% set known -%}
        anti join {{ ref('movement_types') }} as known
            on
                known.connector = '{{ connector }}'
                and known.entity = '{{ entity }}'
                and landed.{{ field }} = known.source_type
    {%- endset %}
    {{ _unmapped(connector, entity, field, 'movement_type', known) }}
{%- endmacro %}

{# `among`: a condition on the landed records, where not all of them are of interest. #}
{% macro unmapped_locations(connector, entity, field, among='true') -%}
    {% set known -%}
        anti join {{ ref('location_map') }} as known
            on
                known.connector = '{{ connector }}'
                and landed.{{ field }} = known.source_location
    {%- endset %}
    {{ _unmapped(connector, entity, field, 'location', known, among) }}
{%- endmacro %}

{% macro unmapped_units(connector, entity, field) -%}
    {% set known -%}
        anti join {{ ref('units') }} as known
            on known.connector = '{{ connector }}' and landed.{{ field }} = known.source_unit
    {%- endset %}
    {{ _unmapped(connector, entity, field, 'unit', known) }}
{%- endmacro %}

{# Items that the item master of the same system does not know. #}
{% macro unmapped_items(connector, entity, field) -%}
    {% set known -%}
        anti join {{ ref('int_items__' ~ connector) }} as known
            on landed._system = known.system and landed.{{ field }} = known.source_item
    {%- endset %}
    {{ _unmapped(connector, entity, field, 'item', known) }}
{%- endmacro %}

{# Global numbers under which a system keeps two items: nothing tells which one is meant. #}
{% macro ambiguous_items(connector, entity, field) -%}
    {% set shared -%}
        semi join (
            select
                _system,
                {{ field }}
            from {{ source('landing', connector ~ '__' ~ entity) }}
            group by _system, {{ field }}
            having count(distinct _record_id) > 1
        ) as shared
            on landed._system = shared._system and landed.{{ field }} = shared.{{ field }}
    {%- endset %}
    {{ _unmapped(connector, entity, field, 'item', shared, least=2) }}
{%- endmacro %}

{#
    Numbers under which a system keeps orders of a customer whom the order's own system calls
    otherwise: one of the two keeps the customer twice. `order_field` names the order as `other` does;
    `prefix` is what its numbers have before those of `connector`.
#}
{% macro doubtful_customers(connector, entity, field, order_field, other, prefix) -%}
    {% set known -%}
        inner join (
            select distinct
                order_number,
                customer_ref
            from {{ source('landing', other ~ '__order_lines') }}
        ) as orders
            on
                landed.{{ order_field }} = orders.order_number
                and '{{ prefix }}' || landed.{{ field }} <> orders.customer_ref
    {%- endset %}
    {{ _unmapped(connector, entity, field, 'party', known) }}
{%- endmacro %}

{# Codes that the connector itself should have translated: `translation` is what it made of them. #}
{% macro untranslated(connector, entity, field, translation) -%}
    {{ _unmapped(
        connector, entity, field, 'unit', condition='landed.' ~ translation ~ ' is null'
    ) }}
{%- endmacro %}

{#
    Numbers by which a system names a document of another one that can't be meant: two systems have
    given it to different things, or the one that has keeps nothing at the place in question.
    `place_field` is that place. A system of which no place is known may keep things anywhere.
#}
{% macro doubtful_documents(connector, entity, field, line_field, place_field) -%}
    {% set known -%}
        inner join {{ ref('location_map') }} as here
            on
                here.connector = '{{ connector }}'
                and landed.{{ place_field }} = here.source_location
        inner join (
            select
                object_key,
                coalesce(list(location_id) filter (where is_one), []) as places
            from (
                select
                    links.object_key,
                    coalesce(places.location_id, '*') as location_id,
                    min(links.order_line_id) = max(links.order_line_id) as is_one
                from {{ ref('object_links') }} as links
                left join {{ ref('dim_locations') }} as places
                    on links.system = places.system
                where links.object_type = 'host_line'
                group by links.object_key, places.location_id
            ) as meant
            group by object_key
        ) as named
            on landed.{{ field }} || '/' || landed.{{ line_field }} = named.object_key
    {%- endset %}
    {# One look at the links for each line: an anti join on the place as well compares all with all. #}
    {% set condition = "not list_has_any(named.places, [here.location_id, '*'])" %}
    {{ _unmapped(connector, entity, field, 'document', known, condition) }}
{%- endmacro %}
