-- The demo WMS's ledger as movements between states.
with items as (
    select
        system,
        source_item,
        item_id
    from {{ ref('int_items__demo_wms') }}
)

select
    movements.system,
    'transactions' as entity,
    movements.record_id,
    items.item_id,
    movements.location_id,
    movements.sku as source_item,
    movements.warehouse as source_location,
    movements.transaction_type as source_type,
    coalesce(types.movement_kind, 'unmapped') as movement_kind,
    {{ mapping_method('movements.transaction_type', 'types.movement_kind') }} as mapping_method,
    types.from_state,
    types.to_state,
    -- Stock that changes its state stays in the building.
    case
        when 'on_hand' in (types.from_state, types.to_state) or types.movement_kind is null
            then movements.quantity
        else 0
    end as on_hand_change,
    abs(movements.quantity) as moved_quantity,
    movements.reason,
    movements.reference as document,
    movements.posted_at as occurred_at,
    movements.posted_from as recorded_from,
    movements.posted_to as recorded_to,
    cast(null as varchar) as origin,
    movements.seen_at,
    movements.is_first_load,
    movements.raw_key
from {{ ref('stg_demo_wms__transactions') }} as movements
left join items
    on movements.system = items.system and movements.sku = items.source_item
left join {{ ref('movement_types') }} as types
    on
        types.connector = 'demo_wms'
        and types.entity = 'transactions'
        and movements.transaction_type = types.source_type
        and types.direction = case when movements.quantity < 0 then 'out' else 'in' end
where movements.version_number = 1
