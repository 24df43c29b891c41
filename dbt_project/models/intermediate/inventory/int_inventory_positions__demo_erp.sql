-- Balances that the demo ERP showed: stock on hand, how much of it is blocked, what is
-- on order, and below what more is to be ordered.
with items as (
    select
        system,
        source_item,
        item_id
    from {{ ref('int_items__demo_erp') }}
),

states as (
    select
        *,
        unnest(
            [
                struct_pack(state := 'on_hand', quantity := on_hand_quantity),
                struct_pack(state := 'damaged', quantity := blocked_quantity),
                struct_pack(state := 'on_order', quantity := ordered_quantity),
                struct_pack(state := 'reorder_point', quantity := reorder_point)
            ],
            recursive := true
        )
    from {{ ref('stg_demo_erp__stock') }}
)

select
    balances.system,
    'stock' as entity,
    balances.record_id,
    items.item_id,
    balances.location_id,
    balances.item_no as source_item,
    balances.warehouse as source_location,
    balances.state,
    balances.quantity,
    balances.balance_at as as_of,
    balances.balance_from as as_of_from,
    balances.balance_to as as_of_to,
    balances.extraction_id,
    balances.seen_at,
    balances.raw_key
from states as balances
left join items
    on balances.system = items.system and balances.item_no = items.source_item
where balances.quantity is not null
