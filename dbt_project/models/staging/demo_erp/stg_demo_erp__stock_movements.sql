-- The ERP's stock ledger, one row a posting.
with landed as (
    {{ versions('demo_erp', 'stock_movements') }}
)

select
    landed.mv_no as movement_number,
    landed.item_no,
    landed.whs as warehouse,
    warehouses.location_id,
    landed.mv_type as movement_type,
    landed.qty as quantity,
    landed.ref as reference,
    landed.reason,
    landed.origin,
    {{ local_instant('landed.posted', 'posted') }},
    {{ provenance() }}
from landed
left join {{ ref('location_map') }} as warehouses
    on warehouses.connector = 'demo_erp' and landed.whs = warehouses.source_location
