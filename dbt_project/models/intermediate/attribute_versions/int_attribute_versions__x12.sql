-- What partners held for compared fields by EDI: quantities that warehouses shipped, in base units,
-- and what a unit of an order line costs by our order, by the supplier's answer and by his invoice.
{% set prices = [
    (
        'purchase_order_lines', 'ordered_price', 'order_line', 'po_number',
        "coalesce(canonical_status, 'ordered') <> 'cancelled'",
    ),
    (
        'acknowledgement_lines', 'acknowledged_price', 'order_line', 'po_number',
        "canonical_status = 'acknowledged'",
    ),
    (
        'invoice_lines', 'billed_price', 'invoice_line', 'invoice_number',
        "canonical_status = 'supplier_invoiced'",
    ),
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

prices as (
    {% for entity, field, object_type, document, condition in prices %}
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
            base_unit_price as value,
            false as is_additive,
            written_from as recorded_from,
            written_to as recorded_to,
            seen_at,
            is_first_load,
            raw_key
        from {{ ref('stg_x12__' ~ entity) }}
        where line_number is not null and {{ condition }}
        {% if not loop.last %}
            union all
        {% endif %}
    {% endfor %}
)

select * from shipped
union all
select *
from prices
where value is not null
