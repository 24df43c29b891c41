-- Balances that the ERP showed, one row an item, warehouse and extraction.
with landed as (
    {{ snapshots('demo_erp', 'stock') }}
)

select
    landed.item_no,
    landed.whs as warehouse,
    warehouses.location_id,
    landed.qoh as on_hand_quantity,
    landed.qblk as blocked_quantity,
    landed.qoo as ordered_quantity,
    landed.rop as reorder_point,
    {{ local_instant('landed.as_of', 'balance') }},
    {{ provenance(versioned=false) }}
from landed
left join {{ ref('location_map') }} as warehouses
    on warehouses.connector = 'demo_erp' and landed.whs = warehouses.source_location
