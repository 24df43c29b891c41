-- Stock movements that warehouses told by EDI: shipments (945), receipts (944), adjustments (947).
-- A document that is corrected takes back the movement that it told first, when the correction was
-- written, as the books of both sides do.
with told as (
    select
        * exclude (quantity),
        'shipment_lines' as entity,
        set_code as source_type,
        -base_quantity as signed_quantity,
        cast(null as varchar) as reason,
        shipment_number as document,
        least(shipped_to, written_at) as occurred_at
    from {{ ref('stg_x12__shipment_lines') }}
    where canonical_status = 'shipped'
    qualify max(quantity) over (partition by system, record_id) > 0
    union all by name
    select
        * exclude (quantity),
        'stock_transfer_lines' as entity,
        set_code as source_type,
        base_quantity as signed_quantity,
        cast(null as varchar) as reason,
        transfer_number as document,
        least(moved_to, written_at) as occurred_at
    from {{ ref('stg_x12__stock_transfer_lines') }}
    where canonical_status = 'received'
    union all by name
    select
        * exclude (quantity),
        'adjustment_lines' as entity,
        reason_code as source_type,
        base_quantity as signed_quantity,
        reason_code as reason,
        adjustment_number as document,
        least(adjusted_to, written_at) as occurred_at
    from {{ ref('stg_x12__adjustment_lines') }}
),

movements as (
    select
        movements.system,
        movements.entity,
        movements.record_id,
        movements.version_number,
        movements.item as item_id,
        movements.location_id,
        movements.item as source_item,
        movements.location as source_location,
        movements.source_type,
        coalesce(types.movement_kind, 'unmapped') as movement_kind,
        {{ mapping_method('movements.source_type', 'types.movement_kind') }} as mapping_method,
        types.from_state,
        types.to_state,
        -- Stock that changes its state stays in the building.
        case
            when 'on_hand' in (types.from_state, types.to_state) or types.movement_kind is null
                then movements.signed_quantity
            else 0
        end as on_hand_change,
        abs(movements.signed_quantity) as moved_quantity,
        movements.reason,
        movements.document,
        movements.occurred_at,
        movements.written_from as recorded_from,
        movements.written_to as recorded_to,
        cast(null as varchar) as origin,
        movements.seen_at,
        movements.is_first_load,
        movements.raw_key
    from told as movements
    left join {{ ref('movement_types') }} as types
        on
            types.connector = 'x12'
            and movements.entity = types.entity
            and movements.source_type = types.source_type
            and types.direction = case when movements.signed_quantity < 0 then 'out' else 'in' end
),

corrected as (
    {{ corrected_movements('movements') }}
)

select * from corrected
