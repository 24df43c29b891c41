-- Balances that Vendure showed: what the channel believes to be on hand and allocated.
with states as (
    select
        *,
        unnest(
            [
                struct_pack(state := 'on_hand', quantity := on_hand_quantity),
                struct_pack(state := 'allocated', quantity := allocated_quantity)
            ],
            recursive := true
        )
    from {{ ref('stg_vendure__stock_levels') }}
)

select
    system,
    'stock_levels' as entity,
    record_id,
    sku as item_id,
    location_id,
    sku as source_item,
    stock_location as source_location,
    state,
    quantity,
    balance_at as as_of,
    balance_from as as_of_from,
    balance_to as as_of_to,
    extraction_id,
    seen_at,
    raw_key
from states
