-- What a channel offers against what can be promised, which its formula adds up. An offer lies
-- between two snapshots of the warehouse: too high only if neither of them had as much.
{{ config(materialized='view') }}

with own_formulas as (
    select distinct channel
    from {{ ref('promise_formulas') }}
),

rules as (
    select
        rules.rule_id,
        coalesce(of_system.channel, of_role.channel, '*') as channel,
        rules.a_milestone as state,
        a_routes.a_system,
        b_routes.system as b_system
    from {{ ref('rules_in_force') }} as rules
    {{ instances_of_both_sides() }}
    left join own_formulas as of_system
        on a_routes.a_system = of_system.channel
    left join own_formulas as of_role
        on rules.a_role = of_role.channel
    where rules.family = 'balance' and rules.cover = 'at_most'
),

formulas as (
    select
        rules.rule_id,
        rules.a_system,
        rules.b_system,
        terms.state,
        terms.factor,
        terms.within_days
    from rules
    inner join {{ ref('promise_formulas') }} as terms
        on rules.channel = terms.channel
),

on_the_shelf as (
    select
        formulas.rule_id,
        formulas.a_system,
        formulas.b_system,
        positions.extraction_id,
        positions.item_id,
        positions.location_id,
        min(positions.as_of) as promised_at,
        sum(formulas.factor * positions.quantity) as promised_quantity
    from formulas
    inner join {{ ref('position_balances') }} as positions
        on formulas.b_system = positions.system and formulas.state = positions.state
    group by
        formulas.rule_id, formulas.a_system, formulas.b_system, positions.extraction_id,
        positions.item_id, positions.location_id
    having count(*) filter (where positions.state = 'on_hand') > 0
),

-- By what was known when the warehouse told its stock.
still_to_come as (
    select
        shelf.rule_id,
        shelf.a_system,
        shelf.b_system,
        shelf.extraction_id,
        shelf.item_id,
        shelf.location_id,
        sum(formulas.factor * supplies.sure_quantity) as promised_quantity
    from on_the_shelf as shelf
    inner join formulas
        on
            shelf.rule_id = formulas.rule_id
            and shelf.a_system = formulas.a_system
            and shelf.b_system = formulas.b_system
            and formulas.state = 'inbound_due'
    inner join {{ ref('inbound_supplies') }} as supplies
        on
            shelf.item_id = supplies.item_id
            and shelf.location_id = supplies.location_id
            and shelf.promised_at >= supplies.known_from
            and shelf.promised_at < coalesce(supplies.known_to, 'infinity')
            and supplies.expected_at <= shelf.promised_at + to_days(formulas.within_days)
    group by
        shelf.rule_id, shelf.a_system, shelf.b_system, shelf.extraction_id, shelf.item_id,
        shelf.location_id
),

promises as (
    select
        shelf.* replace (
            shelf.promised_quantity + coalesce(still_to_come.promised_quantity, 0)
                as promised_quantity
        )
    from on_the_shelf as shelf
    left join still_to_come
        on
            shelf.rule_id = still_to_come.rule_id
            and shelf.a_system = still_to_come.a_system
            and shelf.b_system = still_to_come.b_system
            and shelf.extraction_id = still_to_come.extraction_id
            and shelf.item_id = still_to_come.item_id
            and shelf.location_id = still_to_come.location_id
),

offers as (
    select
        rules.rule_id,
        rules.a_system,
        rules.b_system,
        rules.state,
        positions.item_id,
        positions.location_id,
        positions.record_id,
        positions.raw_key,
        positions.seen_at,
        positions.as_of,
        positions.as_of_to,
        positions.quantity
    from rules
    inner join {{ ref('position_balances') }} as positions
        on rules.a_system = positions.system and rules.state = positions.state
),

-- A position that this warehouse never had is another one's.
between_snapshots as (
    select
        offers.*,
        before.promised_quantity as quantity_before,
        behind.promised_quantity as quantity_behind
    from offers
    asof left join promises as before
        on
            offers.rule_id = before.rule_id
            and offers.a_system = before.a_system
            and offers.b_system = before.b_system
            and offers.item_id = before.item_id
            and offers.location_id = before.location_id
            and offers.as_of >= before.promised_at
    asof left join promises as behind
        on
            offers.rule_id = behind.rule_id
            and offers.a_system = behind.a_system
            and offers.b_system = behind.b_system
            and offers.item_id = behind.item_id
            and offers.location_id = behind.location_id
            and offers.as_of < behind.promised_at
    where coalesce(before.promised_quantity, behind.promised_quantity) is not null
)

select
    rule_id,
    a_system,
    b_system,
    state,
    as_of_to as judged_at,
    item_id,
    location_id,
    record_id as copy_record_id,
    seen_at as copy_seen_at,
    raw_key as copy_raw_key,
    cast(quantity as decimal(18, 6)) as copy_quantity,
    cast(
        greatest(quantity - greatest(quantity_before, quantity_behind, 0), 0) as decimal(18, 6)
    ) as residual_quantity,
    false as is_ambiguous
from between_snapshots
