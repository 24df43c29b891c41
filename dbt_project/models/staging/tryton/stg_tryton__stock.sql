-- Balances that Tryton showed, one row an item, warehouse and extraction.
with landed as (
    {{ snapshots('tryton', 'stock') }}
)

select
    landed.product_code as sku,
    landed.warehouse,
    warehouses.location_id,
    landed.quantity as on_hand_quantity,
    landed.read_from - landed.clock_ahead_most as balance_from,
    landed.read_to - landed.clock_ahead_least as balance_to,
    landed.read_to - landed.clock_ahead as balance_at,
    {{ provenance(versioned=false) }}
from landed
left join {{ ref('location_map') }} as warehouses
    on warehouses.connector = 'tryton' and landed.warehouse = warehouses.source_location
