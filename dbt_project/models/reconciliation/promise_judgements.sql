-- What a channel offers against what can be promised, which the formula of its role adds up. An
-- offer lies between two snapshots of the warehouse: too high only if neither of them had as much.
{{ config(materialized='view') }}

with own_formulas as (
    select distinct role
    from {{ ref('promise_formulas') }}
),

rules as (
    select
        rules.rule_id,
        coalesce(own_formulas.role, '*') as formula_role,
        rules.a_milestone as state,
        a_routes.a_system,
        b_routes.system as b_system
    from {{ ref('rules_in_force') }} as rules
    {{ instances_of_both_sides() }}
    left join own_formulas
        on rules.a_role = own_formulas.role
    where rules.family = 'balance' and rules.cover = 'at_most'
),

formulas as (
    select
        rules.rule_id,
        rules.a_system,
        rules.b_system,
        terms.state,
        terms.factor
    from rules
    inner join {{ ref('promise_formulas') }} as terms
        on rules.formula_role = terms.role
),

promises as (
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
