-- Stock that moved from one state to another, in base units, as told by one system.
with echoes as (
    select
        corrections.target_system,
        corrections.idempotency_key,
        corrections.target_record_id,
        corrections.kind
    from {{ ref('stg_tallyman__corrections') }} as corrections
    inner join {{ ref('dim_systems') }} as systems
        on corrections.target_system = systems.system
    inner join {{ ref('correction_kinds') }} as kinds
        on corrections.kind = kinds.kind and systems.role = kinds.target_role
    where corrections.is_latest and kinds.kind_group = 'stock'
),

echo_keys as (
    select
        target_system as system,
        kind,
        unnest([idempotency_key, target_record_id]) as echo_key
    from echoes
),

-- A movement answers to a correction by its origin; where a system shows none, by its number.
with_echo as (
    select
        movements.*,
        coalesce(by_origin.kind, by_record.kind) as echo_kind
    from {{ ref('int_inventory_movements') }} as movements
    left join echo_keys as by_origin
        on movements.system = by_origin.system and movements.origin = by_origin.echo_key
    left join echo_keys as by_record
        on movements.system = by_record.system and movements.record_id = by_record.echo_key
    qualify row_number() over (
            partition by movements.system, movements.entity, movements.record_id
            order by echo_kind nulls last
        ) = 1
)

select
    {{ identity(['movements.system', 'movements.entity', 'movements.record_id']) }} as movement_id,
    movements.system,
    systems.role,
    movements.entity,
    movements.record_id,
    movements.item_id,
    movements.location_id,
    movements.source_item,
    movements.source_location,
    movements.source_type,
    movements.movement_kind,
    movements.mapping_method,
    movements.from_state,
    movements.to_state,
    -- Stock that only changes its state moves without changing what is on hand.
    cast(
        coalesce(movements.moved_quantity, abs(movements.on_hand_change)) as decimal(18, 6)
    ) as quantity,
    cast(movements.on_hand_change as decimal(18, 6)) as on_hand_change,
    movements.reason,
    movements.document,
    movements.occurred_at,
    movements.recorded_from,
    movements.recorded_to,
    movements.reversed_from,
    movements.reversed_to,
    coalesce(movements.is_reversal, false) as is_reversal,
    movements.origin,
    movements.echo_kind,
    movements.seen_at,
    movements.is_first_load,
    movements.raw_key
from with_echo as movements
inner join {{ ref('dim_systems') }} as systems
    on movements.system = systems.system
