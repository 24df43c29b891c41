-- What customers may send back to the warehouse and what of it came, one row a version of a line.
with landed as (
    {{ versions('demo_wms', 'return_lines', position='seq') }}
)

select
    landed.rma_nbr as return_number,
    landed.line_nbr as line_number,
    landed.host_order,
    landed.host_line,
    landed.whse as warehouse,
    warehouses.location_id,
    landed.status,
    states.canonical_value as canonical_status,
    {{ mapping_method('landed.status', 'states.canonical_value') }} as status_mapping_method,
    landed.disposition,
    landed.version as record_version,
    landed.sku,
    landed.qty as quantity,
    landed.uom,
    {{ epoch_ms_instant('landed.created_ms', 'created') }},
    {{ epoch_ms_instant('landed.received_ms', 'received') }},
    {{ epoch_ms_instant('landed.updated_ms', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('location_map') }} as warehouses
    on warehouses.connector = 'demo_wms' and landed.whse = warehouses.source_location
left join {{ ref('status_map') }} as states
    on
        states.connector = 'demo_wms'
        and states.entity = 'return_lines'
        and states.field = 'status'
        and landed.status = states.source_value
