-- Balances that can't be, or must not be, judged by themselves: less than nothing, less than the
-- states that a part of them is in, less than somebody wants there. Every snapshot is a moment.
{{ config(materialized='view') }}

with rules as (
    select
        rules.rule_id,
        {{ list_of('rules.a_milestone') }} as states,
        {{ list_of('rules.b_milestone') }} as parts,
        split_part(rules.requires, '.', 2) as required_state,
        routes.a_system
    from {{ ref('rules_in_force') }} as rules
    inner join {{ ref('rule_routes') }} as routes
        on
            rules.rule_id = routes.rule_id
            and rules.a_role = routes.role
            and routes.a_system = routes.system
    where
        rules.family = 'balance'
        and rules.cover = 'at_least'
        -- What another system has is held against by promise_judgements.
        and rules.a_role = rules.b_role
),

-- What is allocated or damaged lies in the building: it is a part of what is on hand.
judged as (
    select
        rules.rule_id,
        rules.a_system,
        positions.extraction_id,
        positions.item_id,
        positions.location_id,
        any_value(rules.states[1]) as state,
        first(positions.record_id order by positions.record_id) as record_id,
        first(positions.raw_key order by positions.record_id) as raw_key,
        max(positions.as_of_to) as judged_at,
        min(positions.seen_at) as seen_at,
        sum(positions.quantity) filter (where list_contains(rules.states, positions.state))
            as held_quantity,
        greatest(
            coalesce(
                sum(positions.quantity) filter (
                    where not list_contains(rules.states, positions.state)
                ),
                0
            ),
            0
        ) as least_quantity,
        coalesce(list_contains(list(positions.state), any_value(rules.required_state)), true)
            as is_asked,
        count(positions.quantity) = count(*) as is_measured
    from rules
    inner join {{ ref('position_balances') }} as positions
        on
            rules.a_system = positions.system
            and (
                list_contains(rules.states, positions.state)
                or coalesce(list_contains(rules.parts, positions.state), false)
            )
    group by
        rules.rule_id, rules.a_system, positions.extraction_id, positions.item_id,
        positions.location_id
)

select
    rule_id,
    a_system,
    a_system as b_system,
    state,
    judged_at,
    item_id,
    location_id,
    record_id as copy_record_id,
    seen_at as copy_seen_at,
    raw_key as copy_raw_key,
    try_cast(held_quantity as decimal(18, 6)) as copy_quantity,
    -- As much as is missing, and nothing where there is more than there must be.
    try_cast(least(held_quantity - least_quantity, 0) as decimal(18, 6)) as residual_quantity,
    false as is_ambiguous
from judged
where held_quantity is not null and is_asked and is_measured
