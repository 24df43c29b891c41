-- The newest version of every purchase order line from files, with its cross references followed.
with lines as (
    select *
    from {{ ref('stg_files__purchase_order_lines') }}
    qualify
        row_number() over (
            partition by system, record_id order by version_number desc
        ) = 1
),

-- A reference names a line of the same shipment; a line number alone might repeat between orders.
-- Two lines that it fits give no value: a tie has no winner.
targets as (
    select
        system,
        line_number,
        shipment_number,
        case when count(*) = 1 then any_value(weight_kg) end as weight_kg,
        case when count(*) = 1 then any_value(freight_cost) end as freight_cost,
        count(*) as target_count
    from lines
    group by system, line_number, shipment_number
)

select
    lines.system,
    lines.record_id,
    lines.raw_key,
    lines.order_line_id,
    lines.po_number as order_id,
    lines.line_number,
    lines.shipment_number,
    lines.vendor,
    lines.country,
    lines.customer_ref,
    lines.fulfilled_via,
    lines.delivery_terms,
    lines.mode,
    lines.mode_source,
    lines.item,
    lines.item_group,
    lines.quantity,
    lines.pack_quantity,
    lines.line_value,
    lines.currency,
    lines.ordered_on,
    lines.ordered_on_source,
    lines.ordered_on_method,
    lines.promised_on,
    lines.shipped_on,
    lines.delivered_on,
    lines.recorded_on,
    lines.weight_kg,
    lines.weight_kg_source,
    weight_targets.weight_kg as shipment_weight_kg,
    {{ reference_resolution('lines.weight_kg_reference', 'weight_targets', 'weight_kg') }}
        as weight_resolution,
    lines.freight_cost,
    lines.freight_cost_source,
    freight_targets.freight_cost as shipment_freight_cost,
    {{ reference_resolution('lines.freight_cost_reference', 'freight_targets', 'freight_cost') }}
        as freight_resolution,
    lines.insurance_cost
from lines
left join targets as weight_targets
    on
        lines.system = weight_targets.system
        and lines.weight_kg_reference = weight_targets.line_number
        and lines.shipment_number = weight_targets.shipment_number
left join targets as freight_targets
    on
        lines.system = freight_targets.system
        and lines.freight_cost_reference = freight_targets.line_number
        and lines.shipment_number = freight_targets.shipment_number
