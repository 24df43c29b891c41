-- Customer shipments that left the warehouse, one row a version of a line.
with landed as (
    {{ versions('tryton', 'shipment_lines') }}
)

select
    landed.shipment_number,
    landed.move_id as line_number,
    landed.reference as host_order,
    landed.warehouse,
    warehouses.location_id,
    landed.state as status,
    states.canonical_value as canonical_status,
    {{ mapping_method('landed.state', 'states.canonical_value') }} as status_mapping_method,
    landed.tracking_number,
    landed.product_code as sku,
    landed.quantity,
    {{ instant('landed.done_at', 'shipped') }},
    {{ instant('greatest(landed.modified_at, landed.line_modified_at)', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as states
    on
        states.connector = 'tryton'
        and states.entity = 'shipment_lines'
        and states.field = 'state'
        and landed.state = states.source_value
left join {{ ref('location_map') }} as warehouses
    on warehouses.connector = 'tryton' and landed.warehouse = warehouses.source_location
