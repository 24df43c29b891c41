-- Balances by what they are of: one system may keep an item of one place under several names, as a
-- building of two storage locations, and then holds the sum.
-- What several channels offer are copies of one stock, and no sum.
select
    system,
    any_value(role) as role,
    any_value(entity) as entity,
    item_id,
    location_id,
    state,
    channel,
    extraction_id,
    try_cast(sum(quantity) as decimal(18, 6)) as quantity,
    min(as_of) as as_of,
    min(as_of_from) as as_of_from,
    max(as_of_to) as as_of_to,
    min(seen_at) as seen_at,
    min(record_id) as record_id,
    min(raw_key) as raw_key,
    -- Several names are no name by which the balance could be set.
    case when min(source_item) = max(source_item) then min(source_item) end as source_item,
    case when min(source_location) = max(source_location) then min(source_location) end
        as source_location,
    count(*) as record_count
from {{ ref('inventory_positions') }}
where item_id is not null and location_id is not null
group by system, extraction_id, item_id, location_id, state, channel
