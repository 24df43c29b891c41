-- What suppliers announced to the warehouse and what of it came, one row a version of a line.
with landed as (
    {{ versions('demo_wms', 'receipt_lines', position='seq') }}
)

select
    landed.rcpt_nbr as notice_number,
    landed.line_nbr as line_number,
    landed.host_po as po_number,
    landed.host_line,
    landed.vendor,
    landed.whse as warehouse,
    warehouses.location_id,
    landed.status,
    landed.version as record_version,
    landed.sku,
    landed.expected_qty as expected_quantity,
    landed.received_qty as received_quantity,
    landed.uom,
    landed.ref as reference,
    {{ epoch_ms_instant('landed.received_ms', 'received') }},
    {{ epoch_ms_instant('landed.updated_ms', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('location_map') }} as warehouses
    on warehouses.connector = 'demo_wms' and landed.whse = warehouses.source_location
