{# What the adapters of EDI documents share: the canonical columns of an event told by a document. #}

{#
    Columns of an event from a staging model of the product x12: written when the document was, and
    taken back when a later version says so (`is_set`). Expressions that are not given are null.
#}
{% macro edi_event(
    entity, milestone, link_type, link_key, object_type="'order_line'", record_id='record_id',
    is_set='true', version='version_number', source_status='cast(null as varchar)',
    mapping_method='cast(null as varchar)', document='cast(null as varchar)',
    own_document='cast(null as varchar)', line_record='cast(null as varchar)',
    item='cast(null as varchar)', location='cast(null as varchar)',
    quantity='cast(null as decimal(18, 6))', unit_price='cast(null as decimal(18, 6))',
    currency='cast(null as varchar)', occurred_at='written_at',
    promised_at='cast(null as timestamptz)', occurred_from='cast(null as timestamptz)',
    occurred_to='cast(null as timestamptz)'
) -%}
    system,
        '{{ entity }}' as entity,
        {{ record_id }} as record_id,
        cast({{ version }} as decimal(18, 1)) as version_number,
        {{ milestone }} as milestone,
        {{ source_status }} as source_status,
        {{ mapping_method }} as mapping_method,
        {{ is_set }} as is_set,
        {{ object_type }} as object_type,
        {{ link_type }} as link_type,
        {{ link_key }} as link_key,
        cast(null as varchar) as link_system,
        {{ document }} as document,
        {{ own_document }} as own_document,
        {{ line_record }} as line_record,
        partner as party_id,
        {{ item }} as item_id,
        {{ location }} as location_id,
        {{ quantity }} as quantity,
        {{ unit_price }} as unit_price,
        {{ currency }} as currency,
        {{ occurred_at }} as occurred_at,
        {{ occurred_from }} as occurred_from,
        {{ occurred_to }} as occurred_to,
        {{ promised_at }} as promised_at,
        written_from as recorded_from,
        written_to as recorded_to,
        written_from as updated_from,
        written_to as updated_to,
        case when not ({{ is_set }}) then written_from end as reversed_from,
        case when not ({{ is_set }}) then written_to end as reversed_to,
        origin,
        seen_at,
        is_first_load,
        raw_key
{%- endmacro %}

{# A line of a purchase order by its number, else by its item: what knows neither is no link. #}
{% macro purchase_line_type() -%}
    case when line_number is null then 'po_item' else 'order_line' end
{%- endmacro %}

{% macro purchase_line_key() -%}
    case
            when line_number is null then po_number || '|' || item
            else po_number || '/' || line_number
        end
{%- endmacro %}

{# The change of a purchase order line that a version of it is; what answers it names it, too. #}
{% macro purchase_change(version='version_number') -%}
    record_id || '#' || {{ version }}
{%- endmacro %}

{# A line of our own order by its number, else by its item. #}
{% macro host_line_type() -%}
    case when host_line is null then 'host_item' else 'host_line' end
{%- endmacro %}

{% macro host_line_key() -%}
    case
            when host_line is null then host_order || '|' || item
            else host_order || '/' || host_line
        end
{%- endmacro %}

{# An order by its customer's own number, which another customer may have given, too. #}
{% macro customer_order(party, number) -%}
    coalesce({{ party }}, '?') || '|' || {{ number }}
{%- endmacro %}
