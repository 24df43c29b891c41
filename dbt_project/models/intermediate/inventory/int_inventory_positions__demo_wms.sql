-- Balances that the demo WMS showed: stock on hand, and how much of it is spoken for or damaged.
with items as (
    select
        system,
        source_item,
        item_id
    from {{ ref('int_items__demo_wms') }}
),

states as (
    select
        *,
        unnest(
            [
                struct_pack(state := 'on_hand', quantity := on_hand_quantity),
                struct_pack(state := 'allocated', quantity := allocated_quantity),
                struct_pack(state := 'damaged', quantity := damaged_quantity)
            ],
            recursive := true
        )
    from {{ ref('stg_demo_wms__inventory') }}
)

select
    states.system,
    'inventory' as entity,
    states.record_id,
    items.item_id,
    states.location_id,
    states.sku as source_item,
    states.warehouse as source_location,
    states.state,
    states.quantity,
    states.balance_at as as_of,
    states.balance_from as as_of_from,
    states.balance_to as as_of_to,
    states.extraction_id,
    states.seen_at,
    states.raw_key
from states
left join items
    on states.system = items.system and states.sku = items.source_item
where states.quantity is not null
