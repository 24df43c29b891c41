-- What a channel offers against what can be promised, which its formula adds up. An offer lies
-- between two snapshots of the warehouse: too high only if neither of them had as much, too low
-- only if both had more on the shelf.
{{ config(materialized='view') }}

with own_formulas as (
    select distinct channel
    from {{ ref('promise_formulas') }}
),

-- A system may publish on several channels, each a copy of its own.
publishers as (
    select distinct
        system,
        state,
        channel,
        concat_ws('/', system, channel) as publisher
    from {{ ref('position_balances') }}
),

rules as (
    select
        rules.rule_id,
        rules.cover,
        coalesce(of_channel.channel, of_system.channel, of_role.channel, '*') as formula,
        publishers.publisher,
        publishers.channel,
        rules.a_milestone as state,
        a_routes.a_system,
        b_routes.system as b_system,
        coalesce(fields.tolerance, 0) as tolerance,
        coalesce(fields.tolerance_percent, 0) as tolerance_percent
    from {{ ref('rules_in_force') }} as rules
    {{ instances_of_both_sides() }}
    inner join publishers
        on a_routes.a_system = publishers.system and rules.a_milestone = publishers.state
    left join own_formulas as of_channel
        on publishers.channel = of_channel.channel
    left join own_formulas as of_system
        on a_routes.a_system = of_system.channel
    left join own_formulas as of_role
        on rules.a_role = of_role.channel
    left join {{ ref('compared_fields') }} as fields
        on rules.rule_id = fields.rule_id and rules.a_milestone = fields.field
    where
        rules.family = 'balance'
        and rules.cover in ('at_most', 'at_least')
        -- What one system tells must reach is a floor (floor_judgements).
        and rules.a_role <> rules.b_role
),

-- Of one offer it may be asked whether it is too much and whether it is too little.
formulas as (
    select distinct
        rules.publisher,
        rules.a_system,
        rules.channel,
        rules.b_system,
        terms.state,
        terms.factor,
        terms.within_days
    from rules
    inner join {{ ref('promise_formulas') }} as terms
        on rules.formula = terms.channel
),

on_the_shelf as (
    select
        formulas.publisher,
        formulas.b_system,
        positions.extraction_id,
        positions.item_id,
        positions.location_id,
        min(positions.as_of) as promised_at,
        sum(formulas.factor * positions.quantity) as shelf_quantity
    from formulas
    inner join {{ ref('position_balances') }} as positions
        on formulas.b_system = positions.system and formulas.state = positions.state
    group by
        formulas.publisher, formulas.b_system, positions.extraction_id, positions.item_id,
        positions.location_id
    having count(*) filter (where positions.state = 'on_hand') > 0
),

-- By what was known when the warehouse told its stock.
still_to_come as (
    select
        shelf.publisher,
        shelf.b_system,
        shelf.extraction_id,
        shelf.item_id,
        shelf.location_id,
        sum(formulas.factor * supplies.sure_quantity) as promised_quantity
    from on_the_shelf as shelf
    inner join formulas
        on
            shelf.publisher = formulas.publisher
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
        shelf.publisher, shelf.b_system, shelf.extraction_id, shelf.item_id, shelf.location_id
),

promises as (
    select
        shelf.*,
        shelf.shelf_quantity + coalesce(still_to_come.promised_quantity, 0) as promised_quantity
    from on_the_shelf as shelf
    left join still_to_come
        on
            shelf.publisher = still_to_come.publisher
            and shelf.b_system = still_to_come.b_system
            and shelf.extraction_id = still_to_come.extraction_id
            and shelf.item_id = still_to_come.item_id
            and shelf.location_id = still_to_come.location_id
),

-- What a channel sets aside by itself it need not offer. A state that the warehouse tells is taken
-- away already.
states_told as (
    select distinct
        system,
        state
    from {{ ref('position_balances') }}
),

set_aside as (
    select
        formulas.publisher,
        formulas.b_system,
        positions.extraction_id,
        positions.item_id,
        positions.location_id,
        -sum(formulas.factor * positions.quantity) as kept_quantity
    from formulas
    inner join {{ ref('position_balances') }} as positions
        on
            formulas.a_system = positions.system
            and formulas.state = positions.state
            and coalesce(formulas.channel = positions.channel, true)
    anti join states_told
        on formulas.b_system = states_told.system and formulas.state = states_told.state
    where formulas.factor < 0
    group by
        formulas.publisher, formulas.b_system, positions.extraction_id, positions.item_id,
        positions.location_id
),

offered_states as (
    select distinct
        publisher,
        a_system,
        channel,
        b_system,
        state
    from rules
),

offers as (
    select
        offered_states.publisher,
        offered_states.a_system,
        offered_states.channel,
        offered_states.b_system,
        offered_states.state,
        positions.extraction_id,
        positions.item_id,
        positions.location_id,
        positions.record_id,
        positions.raw_key,
        positions.seen_at,
        positions.as_of,
        positions.as_of_to,
        positions.quantity
    from offered_states
    inner join {{ ref('position_balances') }} as positions
        on
            offered_states.a_system = positions.system
            and offered_states.state = positions.state
            and offered_states.channel is not distinct from positions.channel
),

-- A position that this warehouse never had is another one's.
between_snapshots as (
    select
        offers.*,
        before.promised_quantity as quantity_before,
        behind.promised_quantity as quantity_behind,
        -- What is on its way may be promised, but need not be.
        least(before.shelf_quantity, behind.shelf_quantity) as least_quantity
    from offers
    asof left join promises as before
        on
            offers.publisher = before.publisher
            and offers.b_system = before.b_system
            and offers.item_id = before.item_id
            and offers.location_id = before.location_id
            and offers.as_of >= before.promised_at
    asof left join promises as behind
        on
            offers.publisher = behind.publisher
            and offers.b_system = behind.b_system
            and offers.item_id = behind.item_id
            and offers.location_id = behind.location_id
            and offers.as_of < behind.promised_at
    where coalesce(before.promised_quantity, behind.promised_quantity) is not null
),

not_sold as (
    select
        object_id as item_id,
        valid_from_earliest as not_sold_from,
        coalesce(valid_to_latest, timestamptz 'infinity') as not_sold_to
    from {{ ref('attribute_versions') }}
    where object_type = 'item' and field = 'is_active' and value = 0
),

-- Nobody need offer an item that a master has taken out of sale.
withdrawn as (
    select distinct
        offers.extraction_id,
        offers.item_id
    from offers
    inner join not_sold
        on
            offers.item_id = not_sold.item_id
            and offers.as_of >= not_sold.not_sold_from
            and offers.as_of < not_sold.not_sold_to
),

bounded as (
    select
        rules.rule_id,
        rules.tolerance,
        rules.tolerance_percent,
        between_snapshots.*,
        case
            when rules.cover = 'at_most'
                then greatest(
                        between_snapshots.quantity_before, between_snapshots.quantity_behind, 0
                    )
            when withdrawn.item_id is null
                then greatest(
                        between_snapshots.least_quantity
                        - greatest(coalesce(set_aside.kept_quantity, 0), 0),
                        0
                    )
            else 0
        end as bound,
        case
            when rules.cover = 'at_most' then greatest(between_snapshots.quantity - bound, 0)
            else least(between_snapshots.quantity - bound, 0)
        end as gap
    from between_snapshots
    inner join rules
        on
            between_snapshots.publisher = rules.publisher
            and between_snapshots.b_system = rules.b_system
            and between_snapshots.state = rules.state
    left join set_aside
        on
            between_snapshots.publisher = set_aside.publisher
            and between_snapshots.b_system = set_aside.b_system
            and between_snapshots.extraction_id = set_aside.extraction_id
            and between_snapshots.item_id = set_aside.item_id
            and between_snapshots.location_id = set_aside.location_id
    left join withdrawn
        on
            between_snapshots.extraction_id = withdrawn.extraction_id
            and between_snapshots.item_id = withdrawn.item_id
)

select
    rule_id,
    a_system,
    b_system,
    state,
    as_of_to as judged_at,
    item_id,
    location_id,
    channel,
    record_id as copy_record_id,
    seen_at as copy_seen_at,
    raw_key as copy_raw_key,
    try_cast(quantity as decimal(18, 6)) as copy_quantity,
    try_cast(
        case
            when abs(gap) > greatest(tolerance, bound * tolerance_percent / 100) then gap
            else 0
        end as decimal(18, 6)
    ) as residual_quantity,
    false as is_ambiguous
from bounded
