-- Balances that an ERP wrote into files: stock on hand, and how much of it is blocked.
with states as (
    select
        *,
        unnest(
            [
                struct_pack(state := 'on_hand', quantity := on_hand_quantity),
                struct_pack(state := 'damaged', quantity := blocked_quantity)
            ],
            recursive := true
        )
    from {{ ref('stg_files__erp_stock') }}
)

select
    system,
    'erp_stock' as entity,
    record_id,
    item as item_id,
    location_id,
    item as source_item,
    warehouse as source_location,
    state,
    quantity,
    balance_at as as_of,
    balance_from as as_of_from,
    balance_to as as_of_to,
    extraction_id,
    seen_at,
    raw_key
from states
where quantity is not null
