-- Orders to the warehouse as Tryton holds them, one row a version of a line.
with landed as (
    {{ versions('tryton', 'warehouse_order_lines') }}
)

select
    landed.shipment_number as warehouse_order,
    landed.reference as host_order,
    landed.move_id as line_number,
    landed.warehouse,
    warehouses.location_id,
    landed.state as status,
    states.canonical_value as canonical_status,
    {{ mapping_method('landed.state', 'states.canonical_value') }} as status_mapping_method,
    landed.product_code as sku,
    landed.quantity,
    {{ instant('landed.waiting_at', 'released') }},
    {{ instant('landed.assigned_at', 'allocated') }},
    {{ instant('landed.picked_at', 'picked') }},
    {{ instant('landed.packed_at', 'packed') }},
    {{ instant('landed.cancelled_at', 'cancelled') }},
    {{ instant('greatest(landed.modified_at, landed.line_modified_at)', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as states
    on
        states.connector = 'tryton'
        and states.entity = 'warehouse_order_lines'
        and states.field = 'state'
        and landed.state = states.source_value
left join {{ ref('location_map') }} as warehouses
    on warehouses.connector = 'tryton' and landed.warehouse = warehouses.source_location
