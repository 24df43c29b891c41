-- Fulfilments posted in the ERP, one row a version of a line.
with landed as (
    {{ versions('demo_erp', 'fulfilment_lines') }}
)

select
    landed.ful_no as fulfilment_number,
    landed.pos as position_number,
    landed.doc_no,
    landed.ship_ref as shipment_number,
    landed.whs as warehouse,
    warehouses.location_id,
    landed.stat as status,
    states.canonical_value as canonical_status,
    {{ mapping_method('landed.stat', 'states.canonical_value') }} as status_mapping_method,
    landed.row_version as record_version,
    landed.qty as quantity,
    landed.origin,
    {{ local_instant('landed.posted', 'posted') }},
    {{ local_instant('landed.reversed', 'reversed') }},
    {{ local_instant('landed.modified', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as states
    on
        states.connector = 'demo_erp'
        and states.entity = 'fulfilment_lines'
        and states.field = 'stat'
        and landed.stat = states.source_value
left join {{ ref('location_map') }} as warehouses
    on warehouses.connector = 'demo_erp' and landed.whs = warehouses.source_location
