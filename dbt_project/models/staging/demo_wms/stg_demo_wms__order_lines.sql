-- Warehouse order lines, one row a version.
with landed as (
    {{ versions('demo_wms', 'order_lines', position=['version', 'seq']) }}
)

select
    landed.order_nbr as warehouse_order,
    landed.line_nbr as line_number,
    landed.host_order,
    landed.host_line,
    landed.whse as warehouse,
    warehouses.location_id,
    landed.status,
    states.canonical_value as canonical_status,
    {{ mapping_method('landed.status', 'states.canonical_value') }} as status_mapping_method,
    landed.version as record_version,
    landed.sku,
    landed.ord_qty as quantity,
    landed.uom,
    landed.origin,
    {{ epoch_ms_instant('landed.created_ms', 'created') }},
    {{ epoch_ms_instant('landed.picked_ms', 'picked') }},
    {{ epoch_ms_instant('landed.packed_ms', 'packed') }},
    {{ epoch_ms_instant('landed.updated_ms', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as states
    on
        states.connector = 'demo_wms'
        and states.entity = 'order_lines'
        and states.field = 'status'
        and landed.status = states.source_value
left join {{ ref('location_map') }} as warehouses
    on warehouses.connector = 'demo_wms' and landed.whse = warehouses.source_location
