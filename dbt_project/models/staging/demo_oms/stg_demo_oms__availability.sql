-- What the OMS offered on its channels, one row an item, place, channel and extraction.
with landed as (
    {{ snapshots('demo_oms', 'availability') }}
)

select
    landed.sku,
    landed.location as source_location,
    places.location_id,
    landed.channel,
    landed.available as available_quantity,
    {{ instant('landed.as_of', 'balance') }},
    {{ provenance(versioned=false) }}
from landed
left join {{ ref('location_map') }} as places
    on places.connector = 'demo_oms' and landed.location = places.source_location
