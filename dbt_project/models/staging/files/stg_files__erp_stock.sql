-- Balances of an ERP from dropped files, one row an item, place and extraction.
with landed as (
    {{ snapshots('files', 'erp_stock') }}
)

select
    landed.item,
    landed.place as warehouse,
    places.location_id,
    landed.on_hand_quantity,
    landed.blocked_quantity,
    {{ local_instant('landed.as_of', 'balance') }},
    {{ provenance(versioned=false) }}
from landed
left join {{ ref('location_map') }} as places
    on places.connector = 'files' and landed.place = places.source_location
