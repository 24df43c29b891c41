-- The demo ERP's stock ledger as movements between states.
with items as (
    select
        system,
        source_item,
        item_id
    from {{ ref('int_items__demo_erp') }}
)

select
    movements.system,
    'stock_movements' as entity,
    movements.record_id,
    items.item_id,
    movements.location_id,
    movements.item_no as source_item,
    movements.warehouse as source_location,
    movements.movement_type as source_type,
    coalesce(types.movement_kind, 'unmapped') as movement_kind,
    {{ mapping_method('movements.movement_type', 'types.movement_kind') }} as mapping_method,
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
    movements.origin,
    movements.seen_at,
    movements.is_first_load,
    movements.raw_key
from {{ ref('stg_demo_erp__stock_movements') }} as movements
left join items
    on movements.system = items.system and movements.item_no = items.source_item
left join {{ ref('movement_types') }} as types
    on
        types.connector = 'demo_erp'
        and types.entity = 'stock_movements'
        and movements.movement_type = types.source_type
        and types.direction = case when movements.quantity < 0 then 'out' else 'in' end
where movements.version_number = 1
