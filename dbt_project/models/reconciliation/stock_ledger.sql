-- What each movement adds to the balance of a state, as each system posted it.
{{ config(materialized='view') }}

with changes as (
    select
        *,
        'on_hand' as state,
        on_hand_change as change
    from {{ ref('inventory_movements') }}
    union all
    -- Stock that changes its state stays in the building: one state loses what the other gains.
    select
        *,
        unnest([from_state, to_state]) as state,
        unnest([-quantity, quantity]) as change
    from {{ ref('inventory_movements') }}
    where 'on_hand' not in (from_state, to_state)
)

select
    movement_id,
    system,
    role,
    state,
    item_id,
    location_id,
    movement_kind,
    document,
    recorded_from,
    recorded_to,
    seen_at,
    change,
    -- A document explains a difference: its own rule speaks. Our own adjustment has none.
    case
        when document is not null and coalesce(echo_kind, '') <> 'adjust_stock' then change
        else 0
    end as explained_change
from changes
