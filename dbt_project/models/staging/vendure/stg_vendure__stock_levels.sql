-- Balances that Vendure showed, one row an item, stock location and extraction.
with landed as (
    {{ snapshots('vendure', 'stock_levels') }}
)

select
    landed.sku,
    landed.location as stock_location,
    locations.location_id,
    landed.on_hand as on_hand_quantity,
    landed.allocated as allocated_quantity,
    -- Vendure does not say as of when a balance is: some moment of the reading.
    landed.extraction_started_at as balance_from,
    landed._extracted_at as balance_to,
    landed._extracted_at as balance_at,
    {{ provenance(versioned=false) }}
from landed
left join {{ ref('location_map') }} as locations
    on locations.connector = 'vendure' and landed.location = locations.source_location
