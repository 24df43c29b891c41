-- Balances that the warehouse showed, one row an item, warehouse and extraction.
with landed as (
    {{ snapshots('demo_wms', 'inventory') }}
)

select
    landed.sku,
    landed.whse as warehouse,
    warehouses.location_id,
    landed.on_hand as on_hand_quantity,
    landed.allocated as allocated_quantity,
    landed.damaged as damaged_quantity,
    {{ epoch_ms_instant('landed.as_of_ms', 'balance') }},
    {{ provenance(versioned=false) }}
from landed
left join {{ ref('location_map') }} as warehouses
    on warehouses.connector = 'demo_wms' and landed.whse = warehouses.source_location
