-- Balances that warehouses told by EDI: of several advices in one extraction the newest.
select
    system,
    'inventory' as entity,
    record_id,
    item as item_id,
    location_id,
    item as source_item,
    location as source_location,
    state,
    base_quantity as quantity,
    balance_at as as_of,
    balance_from as as_of_from,
    balance_to as as_of_to,
    extraction_id,
    seen_at,
    raw_key
from {{ ref('stg_x12__inventory') }}
where state is not null and base_quantity is not null
