-- What partners held for compared fields by EDI: quantities that warehouses shipped, in base units,
-- and what a unit of an order line costs by our order, by the supplier's answer and by his invoice.
{% set prices = [
    ('acknowledgement_lines', 'acknowledged_price', 'order_line', 'po_number', 'acknowledged'),
    ('invoice_lines', 'billed_price', 'invoice_line', 'invoice_number', 'supplier_invoiced'),
] %}

with shipped as (
    select
        system,
        'shipment_lines' as entity,
        record_id,
        version_number,
        'shipment_line' as object_type,
        {{ host_line_type() }} as link_type,
        {{ host_line_key() }} as link_key,
        cast(null as varchar) as link_system,
        shipment_number as document,
        'shipped_quantity' as field,
        case when canonical_status = 'shipped' then base_quantity end as value,
        true as is_additive,
        written_from as recorded_from,
        written_to as recorded_to,
        seen_at,
        is_first_load,
        raw_key
    from {{ ref('stg_x12__shipment_lines') }}
),

-- What is cancelled, by its line or with its whole order, has no price any more.
ordered_prices as (
    select
        system,
        entity,
        record_id,
        -- A cancelled order ends its lines between two versions of theirs.
        cast(version_number * 2 as bigint) as version_number,
        object_type,
        link_type,
        link_key,
        system as link_system,
        document,
        'ordered_price' as field,
        case when is_set then unit_price end as value,
        false as is_additive,
        recorded_from,
        recorded_to,
        seen_at,
        is_first_load,
        raw_key
    from {{ ref('int_order_events__x12_purchase_orders') }}
    where
        object_type = 'order_line'
        and milestone = 'ordered'
        and (unit_price is not null or not is_set)
),

answered_prices as (
    {% for entity, field, object_type, document, status in prices %}
        select
            system,
            '{{ entity }}' as entity,
            record_id,
            version_number,
            '{{ object_type }}' as object_type,
            'order_line' as link_type,
            po_number || '/' || line_number as link_key,
            system as link_system,
            {{ document }} as document,
            '{{ field }}' as field,
            case when canonical_status = '{{ status }}' then base_unit_price end as value,
            false as is_additive,
            written_from as recorded_from,
            written_to as recorded_to,
            seen_at,
            is_first_load,
            raw_key
        from {{ ref('stg_x12__' ~ entity) }}
        where
            line_number is not null
            and case
                when canonical_status = '{{ status }}' then base_unit_price is not null
                else version_number > 1
            end
        {% if not loop.last %}
            union all
        {% endif %}
    {% endfor %}
)

select * from shipped
union all
select * from ordered_prices
union all
select * from answered_prices
