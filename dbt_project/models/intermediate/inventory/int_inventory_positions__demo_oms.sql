-- What the demo OMS offered on its channels.
select
    offers.system,
    'availability' as entity,
    offers.record_id,
    items.item_id,
    offers.location_id,
    offers.sku as source_item,
    offers.source_location,
    'available' as state,
    offers.channel,
    offers.available_quantity as quantity,
    offers.balance_at as as_of,
    offers.balance_from as as_of_from,
    offers.balance_to as as_of_to,
    offers.extraction_id,
    offers.seen_at,
    offers.raw_key
from {{ ref('stg_demo_oms__availability') }} as offers
left join {{ ref('int_items__demo_oms') }} as items
    on offers.system = items.system and offers.sku = items.source_item
