-- Balances that the demo ERP showed: stock on hand.
with items as (
    select
        system,
        source_item,
        item_id
    from {{ ref('int_items__demo_erp') }}
)

select
    balances.system,
    'stock' as entity,
    balances.record_id,
    items.item_id,
    balances.location_id,
    balances.item_no as source_item,
    balances.warehouse as source_location,
    'on_hand' as state,
    balances.on_hand_quantity as quantity,
    balances.balance_at as as_of,
    balances.balance_from as as_of_from,
    balances.balance_to as as_of_to,
    balances.extraction_id,
    balances.seen_at,
    balances.raw_key
from {{ ref('stg_demo_erp__stock') }} as balances
left join items
    on balances.system = items.system and balances.item_no = items.source_item
