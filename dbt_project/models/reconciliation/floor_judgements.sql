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
        any_value(positions.entity) as entity,
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
            as is_asked
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
),

-- A list that leaves nothing out says of a position that it no longer names: nothing is there. What
-- is wanted somewhere may have gone with it, so that a rule which asks for that learns nothing.
lacking as (
    select
        judged.rule_id,
        judged.a_system,
        judged.entity,
        judged.item_id,
        judged.location_id,
        any_value(judged.state) as state,
        arg_min(judged.record_id, judged.judged_at) as record_id,
        arg_min(judged.raw_key, judged.judged_at) as raw_key,
        min(judged.judged_at) as lacking_from
    from judged
    inner join rules
        on judged.rule_id = rules.rule_id and judged.a_system = rules.a_system
    where judged.held_quantity < judged.least_quantity and rules.required_state is null
    group by
        judged.rule_id, judged.a_system, judged.entity, judged.item_id, judged.location_id
),

listed as (
    select
        positions.system,
        positions.entity,
        positions.extraction_id,
        positions.item_id,
        positions.location_id,
        max(positions.record_count) as record_count,
        max(positions.as_of_to) as judged_at,
        min(positions.seen_at) as seen_at
    from {{ ref('position_balances') }} as positions
    semi join lacking
        on positions.system = lacking.a_system and positions.entity = lacking.entity
    group by
        positions.system, positions.entity, positions.extraction_id, positions.item_id,
        positions.location_id
),

-- Read whole, nothing refused, and every record of a known item at a known place.
whole_lists as (
    select
        listed.system,
        listed.entity,
        listed.extraction_id,
        max(listed.judged_at) as judged_at,
        min(listed.seen_at) as seen_at,
        row_number() over (
            partition by listed.system, listed.entity order by max(listed.judged_at)
        ) as nth
    from listed
    inner join {{ ref('stg_log__extractions') }} as extractions
        on
            listed.system = extractions.system
            and listed.entity = extractions.entity
            and listed.extraction_id = extractions.extraction_id
    where
        extractions.is_complete
        and not extractions.has_cursor
        and coalesce(extractions.quarantined_count, 0) = 0
    group by
        listed.system, listed.entity, listed.extraction_id, extractions.record_count
    having sum(listed.record_count) = extractions.record_count
),

missed as (
    select
        lacking.*,
        whole_lists.extraction_id,
        whole_lists.judged_at,
        whole_lists.seen_at,
        whole_lists.nth
    from lacking
    inner join whole_lists
        on
            lacking.a_system = whole_lists.system
            and lacking.entity = whole_lists.entity
            and lacking.lacking_from < whole_lists.judged_at
    anti join listed
        on
            whole_lists.system = listed.system
            and whole_lists.extraction_id = listed.extraction_id
            and lacking.item_id = listed.item_id
            and lacking.location_id = listed.location_id
),

-- One miss is no proof: two lists running.
vanished as (
    select *
    from missed
    window
        position_history as (
            partition by rule_id, a_system, entity, item_id, location_id order by nth
        )
    qualify
        coalesce(lag(nth) over position_history = nth - 1, false)
        or coalesce(lead(nth) over position_history = nth + 1, false)
),

all_judged as (
    select
        rule_id,
        a_system,
        state,
        judged_at,
        item_id,
        location_id,
        record_id,
        seen_at,
        raw_key,
        held_quantity,
        least_quantity
    from judged
    where held_quantity is not null and is_asked
    union all by name
    select
        * exclude (entity, extraction_id, lacking_from, nth),
        0 as held_quantity,
        0 as least_quantity
    from vanished
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
from all_judged
