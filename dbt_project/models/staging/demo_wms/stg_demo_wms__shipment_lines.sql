-- Shipments that left the warehouse, one row a version of a line.
with landed as (
    {{ versions('demo_wms', 'shipment_lines', position=['version', 'seq']) }}
)

select
    landed.ship_nbr as shipment_number,
    landed.line_nbr as line_number,
    landed.order_nbr as warehouse_order,
    landed.host_order,
    landed.host_line,
    landed.whse as warehouse,
    warehouses.location_id,
    landed.status,
    states.canonical_value as canonical_status,
    {{ mapping_method('landed.status', 'states.canonical_value') }} as status_mapping_method,
    landed.tracking_nbr as tracking_number,
    landed.carrier,
    landed.version as record_version,
    landed.sku,
    landed.qty as quantity,
    landed.uom,
    {{ epoch_ms_instant('landed.shipped_ms', 'shipped') }},
    {{ epoch_ms_instant('landed.updated_ms', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as states
    on
        states.connector = 'demo_wms'
        and states.entity = 'shipment_lines'
        and states.field = 'status'
        and landed.status = states.source_value
left join {{ ref('location_map') }} as warehouses
    on warehouses.connector = 'demo_wms' and landed.whse = warehouses.source_location
