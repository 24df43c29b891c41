-- Family presence: when A is seen, B must be seen in time. One model for every rule of the family.
{{ config(materialized='view') }}

with rules as (
    select
        rules.*,
        {{ list_of('a_milestone') }} as a_milestones,
        {{ list_of('b_milestone') }} as b_milestones,
        {{ list_of('match_on') }} as matched_on,
        {{ list_of('discharged_by') }} as discharges,
        split_part(requires, '.', 1) as required_role,
        split_part(requires, '.', 2) as required_milestone,
        required_role = b_role and required_milestone = b_milestone as rests_on_b,
        split_part(requires, '.', 3) = 'anew' as awaits_b_anew,
        cover in ('quantity', 'opposite_quantity') as covers_quantity,
        covers_quantity or arises <> 'each' as counts_amounts
    from {{ ref('rules_in_force') }} as rules
    where family = 'presence'
),

-- A row for each milestone: facts are found by equality, and not by looking into lists.
a_rules as (
    select
        *,
        unnest(a_milestones) as milestone
    from rules
),

b_rules as (
    select
        *,
        unnest(b_milestones) as milestone
    from rules
),

facts as (
    select * from {{ ref('facts') }}
),

-- A rule and an instance of A, as one number in every sort and join.
routes as (
    select
        *,
        dense_rank() over (order by rule_id, a_system) as route
    from {{ ref('rule_routes') }}
),

a_facts as (
    select
        rules.rule_id,
        routes.a_system,
        routes.route,
        rules.cover,
        rules.arises,
        rules.requires,
        rules.due_from,
        rules.grace_minutes,
        rules.counts_amounts,
        rules.covers_quantity,
        rules.awaits_b_anew,
        facts.fact_id,
        facts.object_type,
        facts.object_id,
        facts.quantity,
        facts.promised_at,
        facts.recorded_from,
        facts.recorded_to,
        facts.reversed_from,
        facts.reversed_to,
        facts.is_echo,
        -- The earlier promise has the first claim on B, whichever was told first.
        case rules.due_from when 'promised' then facts.promised_at else facts.recorded_to end
            as claims_at,
        (list_contains(rules.matched_on, 'item') and facts.item_id is null)
        or (list_contains(rules.matched_on, 'location') and facts.location_id is null)
            as lacks_part,
        list_contains(rules.matched_on, 'document') and facts.document is null as lacks_document,
        {{ match_key('rules.matched_on', 'facts') }} as match_key
    from facts
    inner join a_rules as rules
        on
            facts.role = rules.a_role
            and facts.object_type = rules.object_type
            and facts.milestone = rules.milestone
    inner join routes
        on
            rules.rule_id = routes.rule_id
            and rules.a_role = routes.role
            and facts.system = routes.system
    left join {{ ref('counter_ledgers') }} as counter_ledgers
        on
            rules.rule_id = counter_ledgers.rule_id
            and routes.a_system = counter_ledgers.a_system
            and facts.location_id = counter_ledgers.location_id
    where
        -- Without a promise nothing can be overdue.
        (rules.due_from <> 'promised' or facts.promised_at is not null)
        -- Whether B told of it before anybody read what B tells, nobody knows.
        and coalesce(facts.recorded_from >= counter_ledgers.began_at, true)
),

-- B's, each with the moment it appeared and, if so, the moment it was taken back.
b_facts as (
    select
        routes.route,
        facts.fact_id,
        facts.object_id,
        (list_contains(rules.matched_on, 'item') and facts.item_id is null)
        or (list_contains(rules.matched_on, 'location') and facts.location_id is null)
        or (list_contains(rules.matched_on, 'document') and facts.document is null)
            as lacks_part,
        facts.recorded_from,
        facts.recorded_to,
        facts.reversed_from,
        facts.reversed_to,
        case rules.cover
            when 'quantity' then facts.quantity
            -- What leaves one place arrives in another with the opposite sign.
            when 'opposite_quantity' then -facts.quantity
            else 1
        end as weight,
        case rules.cover when 'quantity' then 1 when 'opposite_quantity' then -1 else 0 end
            as direction,
        {{ match_key('rules.matched_on', 'facts') }} as match_key
    from facts
    inner join b_rules as rules
        on
            facts.role = rules.b_role
            and facts.object_type = rules.object_type
            and facts.milestone = rules.milestone
    inner join routes
        on
            rules.rule_id = routes.rule_id
            and rules.b_role = routes.role
            and facts.system = routes.system
),

-- Whether a quantity covers can't be told where another has no base unit.
unmeasured as (
    select distinct
        route,
        match_key
    from b_facts
    where weight is null
),

-- Nor whether B is the one, where its item, its location or its document is not known: an invoice
-- that names no shipment may well be the one of that shipment.
unrecognised as (
    select distinct
        route,
        object_id
    from b_facts
    where lacks_part
),

-- A duty may rest on something else being there first: no cancelling of what never arrived. What
-- was withdrawn bears no duty any more, but B itself does: B that is taken back is owed again.
requirements as (
    select
        rules.rule_id,
        facts.object_id,
        facts.quantity,
        facts.recorded_from,
        facts.recorded_to,
        case when not rules.rests_on_b then facts.reversed_from end as withdrawn_from,
        case when not rules.rests_on_b then facts.reversed_to end as withdrawn_to
    from facts
    inner join rules
        on
            facts.role = rules.required_role
            and facts.milestone = rules.required_milestone
            and facts.object_type = rules.object_type
    where rules.requires is not null
),

required as (
    select
        rule_id,
        object_id,
        coalesce(max(quantity) filter (where withdrawn_to is null), max(quantity))
            as required_quantity,
        coalesce(
            min(recorded_from) filter (where withdrawn_to is null), max(recorded_from)
        ) as required_from,
        coalesce(
            min(recorded_to) filter (where withdrawn_to is null), max(recorded_to)
        ) as required_to,
        case when count(*) = count(withdrawn_to) then max(withdrawn_from) end as withdrawn_from,
        case when count(*) = count(withdrawn_to) then max(withdrawn_to) end as withdrawn_to
    from requirements
    group by rule_id, object_id
),

-- What was changed while it stood. Later changes are as old as its end.
remeasured as (
    select
        fact_id,
        nth,
        one.change,
        least(one.changed_from, reversed_from) as changed_from,
        least(one.changed_to, reversed_to) as changed_to
    from (
        select
            fact_id,
            reversed_from,
            reversed_to,
            unnest(quantity_changes) as one,
            generate_subscripts(quantity_changes, 1) as nth
        from facts
        where quantity_changes is not null
    ) as unnested
),

first_told as (
    select
        fact_id,
        try_cast(sum(change) as decimal(18, 6)) as changed_by
    from remeasured
    group by fact_id
),

b_changes as (
    select
        b_facts.route,
        b_facts.match_key,
        b_facts.recorded_from as changed_from,
        b_facts.recorded_to as changed_to,
        b_facts.weight - case b_facts.direction
            when 1 then coalesce(first_told.changed_by, 0)
            when -1 then -coalesce(first_told.changed_by, 0)
            else 0
        end as change
    from b_facts
    left join first_told
        on b_facts.fact_id = first_told.fact_id
    union all
    select
        b_facts.route,
        b_facts.match_key,
        remeasured.changed_from,
        remeasured.changed_to,
        case b_facts.direction when 1 then remeasured.change else -remeasured.change end
    from b_facts
    inner join remeasured
        on b_facts.fact_id = remeasured.fact_id
    where b_facts.direction <> 0
    union all
    select
        route,
        match_key,
        reversed_from,
        reversed_to,
        -weight
    from b_facts
    where reversed_to is not null
),

-- Of an A that was changed: what is owed of it, and what stands as each A sees it.
{{ changed_claims() }},

standing_changes as (
    select
        route,
        match_key as claim_key,
        changed_from,
        changed_to,
        change
    from b_changes
    anti join claimants
        on b_changes.route = claimants.route and b_changes.match_key = claimants.match_key
    union all
    select
        route,
        claim_key,
        changed_from,
        changed_to,
        try_cast(change + proviso as decimal(18, 6)) as change
    from claim_states
),

-- How much of B stands, from each change to the next.
b_states as (
    select
        route,
        claim_key,
        changed_from,
        changed_to,
        change,
        sum(change) over key_history as standing,
        lead(changed_to) over key_history as until
    from standing_changes
    window key_history as (
        partition by route, claim_key
        order by changed_to asc, changed_from asc, change desc
        rows between unbounded preceding and current row
    )
),

-- Some duties arise only once A covers all that was ordered: half a line is not the line.
ordered as (
    select
        rules.rule_id,
        facts.object_id,
        max(facts.quantity) as ordered_quantity
    from facts
    inner join rules
        on facts.role = rules.b_role and facts.object_type = rules.object_type
    where rules.arises = 'covers_ordered' and facts.milestone = 'captured'
    group by rules.rule_id, facts.object_id
),

-- Only where amounts count: of the other rules, each A needs one B.
a_with_totals as (
    select
        a_facts.*,
        ordered.ordered_quantity,
        sum(a_facts.quantity) over key_history as running_quantity,
        -- What stood before A has its own claim on B, whoever sent it.
        sum(case when a_facts.reversed_to is null then a_facts.quantity else 0 end)
            over earlier as claimed_before
    from a_facts
    left join ordered
        on a_facts.rule_id = ordered.rule_id and a_facts.object_id = ordered.object_id
    where a_facts.counts_amounts
    window
        key_history as (
            partition by a_facts.route, a_facts.match_key
            order by a_facts.claims_at, a_facts.recorded_to, a_facts.fact_id
            rows between unbounded preceding and current row
        ),
        earlier as (
            partition by a_facts.route, a_facts.match_key
            order by a_facts.claims_at, a_facts.recorded_to, a_facts.fact_id
            rows between unbounded preceding and 1 preceding
        )
),

-- Our own sends come back as events: they may discharge a duty, but never create one.
arisen as (
    select
        *,
        case cover
            when 'quantity' then quantity + coalesce(claimed_before, 0)
            when 'opposite_quantity' then quantity + coalesce(claimed_before, 0)
            else 1
        end as needed
    from a_with_totals
    where
        not is_echo
        and (
            arises = 'each'
            or (
                running_quantity >= ordered_quantity
                and running_quantity - quantity < ordered_quantity
            )
        )
    union all by name
    select
        *,
        1 as needed
    from a_facts
    where not counts_amounts and not is_echo
),

first_triggers as (
    select
        arisen.*,
        coalesce(claimants.claim_key, arisen.match_key) as claim_key,
        claimants.fact_id is not null as is_claimed,
        cast(case when arisen.needed < 0 then -1 else 1 end as tinyint) as needed_sign,
        0 as rearmed,
        greatest(arisen.recorded_from, required.required_from) as trigger_from,
        greatest(arisen.recorded_to, required.required_to) as trigger_to,
        required.required_quantity,
        required.withdrawn_from,
        required.withdrawn_to
    from arisen
    left join required
        on arisen.rule_id = required.rule_id and arisen.object_id = required.object_id
    left join claimants
        on arisen.route = claimants.route and arisen.fact_id = claimants.fact_id
    where arisen.requires is null or required.object_id is not null
),

-- When B is taken back while A stands, the duty is there again.
later_triggers as (
    select
        first_triggers.* exclude (rearmed, trigger_from, trigger_to),
        row_number() over (
            partition by first_triggers.rule_id, first_triggers.fact_id
            order by b_states.changed_to
        ) as rearmed,
        b_states.changed_from as trigger_from,
        b_states.changed_to as trigger_to
    from first_triggers
    inner join b_states
        on
            first_triggers.route = b_states.route
            and first_triggers.claim_key = b_states.claim_key
    where
        -- Nearly no change is one against what stands.
        (b_states.change < 0) <> (b_states.standing < b_states.change)
        and b_states.change * first_triggers.needed_sign < 0
        and b_states.standing * first_triggers.needed_sign < abs(first_triggers.needed)
        and (b_states.standing - b_states.change) * first_triggers.needed_sign
        >= abs(first_triggers.needed)
        and b_states.changed_to > first_triggers.trigger_to
        and (
            first_triggers.reversed_to is null
            or first_triggers.reversed_to > b_states.changed_to
        )
),

all_triggers as (
    select
        *,
        case when due_from = 'promised' then greatest(promised_at, trigger_from) else trigger_to end
        + to_minutes(grace_minutes) as usually_due_at
    from (
        select * from first_triggers
        union all by name
        select * from later_triggers
    ) as listed
),

{{ changed_claims_due() }},

triggers as materialized (
    select
        all_triggers.*,
        row_number() over () as trigger_number,
        coalesce(claims_due.due_at, all_triggers.usually_due_at) as due_at
    from all_triggers
    left join claims_due
        on
            all_triggers.route = claims_due.route
            and all_triggers.claim_key = claims_due.claim_key
            and all_triggers.rearmed = claims_due.rearmed
    -- What nobody can measure isn't met either.
    where
        not all_triggers.is_claimed
        or claims_due.due_at is not null
        or all_triggers.needed is null
),

covered as (
    select
        triggers.trigger_number,
        min(b_states.changed_from) as end_from,
        min(b_states.changed_to) as end_to,
        'covered' as end_reason
    from triggers
    inner join b_states
        on
            triggers.route = b_states.route
            and triggers.claim_key = b_states.claim_key
    where
        b_states.standing * triggers.needed_sign >= abs(triggers.needed)
        and (b_states.until is null or b_states.until > triggers.trigger_to)
    group by triggers.trigger_number
),

-- Of an A that names no document, any B of its object may be the one. Where there is none, B is
-- absent for certain: an invoice of an order of which nothing has shipped.
perhaps_covered as (
    select
        triggers.trigger_number,
        triggers.covers_quantity,
        min(b_facts.recorded_from) as end_from,
        min(b_facts.recorded_to) as end_to,
        'covered' as end_reason
    from triggers
    inner join b_facts
        on
            triggers.route = b_facts.route
            and triggers.object_id = b_facts.object_id
    where triggers.lacks_document and b_facts.reversed_to is null
    group by triggers.trigger_number, triggers.covers_quantity
),

-- What is about nothing wants nothing, unless it was about something first.
unneeded as (
    select
        trigger_number,
        trigger_from as end_from,
        trigger_to as end_to,
        'covered' as end_reason
    from triggers
    where needed = 0 and not is_claimed
),

-- Any of what discharges will do, but for what is marked in_full: that must add up to all that the
-- duty is about, which is what it rests on, if that was a quantity.
discharge_events as (
    select
        rule_id,
        discharge,
        split_part(discharge, '.', 1) as role,
        split_part(discharge, '.', 2) as milestone,
        split_part(discharge, '.', 3) = 'in_full' as is_in_full
    from (
        select
            rule_id,
            unnest(discharges) as discharge
        from rules
    ) as listed
),

discharging as (
    select
        triggers.trigger_number,
        facts.recorded_from,
        facts.recorded_to,
        case
            when discharge_events.is_in_full
                then sum(facts.quantity) over one_kind
                    >= coalesce(triggers.required_quantity, triggers.quantity)
            else true
        end as is_enough,
        facts.quantity is null as is_unmeasured
    from triggers
    inner join discharge_events
        on triggers.rule_id = discharge_events.rule_id
    inner join facts
        on
            discharge_events.role = facts.role
            and discharge_events.milestone = facts.milestone
            and triggers.object_type = facts.object_type
            and triggers.object_id = facts.object_id
            and facts.reversed_to is null
    inner join routes
        on
            triggers.rule_id = routes.rule_id
            and triggers.a_system = routes.a_system
            and facts.role = routes.role
            and facts.system = routes.system
    window one_kind as (
        partition by triggers.trigger_number, discharge_events.discharge
        order by facts.recorded_to, facts.fact_id
    )
),

-- Whether it was all can't be told where some has no base unit.
discharges_told as (
    select
        trigger_number,
        min(recorded_from) filter (where is_enough) as end_from,
        min(recorded_to) filter (where is_enough) as end_to,
        count_if(is_enough is null or is_unmeasured) > 0 as is_undecided
    from discharging
    group by trigger_number
),

discharged as (
    select
        * exclude (is_undecided),
        'discharged' as end_reason
    from discharges_told
    where end_to is not null
),

undecided as (
    select trigger_number
    from discharges_told
    where end_to is null and is_undecided
),

taken_back as (
    select
        trigger_number,
        reversed_from as end_from,
        reversed_to as end_to,
        'taken_back' as end_reason
    from triggers
    where reversed_to is not null
),

withdrawn as (
    select
        trigger_number,
        withdrawn_from as end_from,
        withdrawn_to as end_to,
        'discharged' as end_reason
    from triggers
    where withdrawn_to is not null
),

ends as (
    select * from covered
    union all
    select * exclude (covers_quantity)
    from perhaps_covered
    where not covers_quantity
    union all
    select * from unneeded
    union all
    select * from discharged
    union all
    select * from taken_back
    union all
    select * from withdrawn
),

-- Of ends that are known to lie within bounds only (a local time in the hour that comes twice), the
-- first lies between the least of both bounds.
first_ends as (
    select
        trigger_number,
        min(end_from) as end_from,
        min(end_to) as end_to,
        arg_min(end_reason, struct_pack(a := end_to, b := end_from, c := end_reason)) as end_reason
    from ends
    group by trigger_number
)

select
    triggers.rule_id,
    triggers.a_system,
    facts.record_id as a_record_id,
    facts.milestone,
    cast(facts.ordinal * 1000 + triggers.rearmed as integer) as ordinal,
    triggers.object_type,
    coalesce(triggers.object_id, facts.own_document || '#' || facts.line_record)
        as object_id,
    facts.order_id,
    facts.order_line_id,
    facts.document,
    facts.own_document,
    facts.line_record,
    cast(null as varchar) as field,
    facts.item_id,
    facts.location_id,
    triggers.quantity,
    cast(null as varchar) as expected_value,
    cast(null as varchar) as observed_value,
    triggers.object_id is not null
    and not triggers.lacks_part
    and unrecognised.object_id is null
    and undecided.trigger_number is null
    -- Whether it is enough can't be told of what may belong to another.
    and not coalesce(perhaps_covered.covers_quantity, false)
    and (
        triggers.cover not in ('quantity', 'opposite_quantity')
        or (triggers.quantity is not null and unmeasured.match_key is null)
    ) as is_linked,
    triggers.due_at,
    first_ends.end_from,
    first_ends.end_to,
    first_ends.end_reason,
    facts.seen_at as first_seen_at,
    facts.is_first_load,
    facts.raw_key
from triggers
inner join facts
    on triggers.fact_id = facts.fact_id
left join first_ends
    on triggers.trigger_number = first_ends.trigger_number
left join undecided
    on triggers.trigger_number = undecided.trigger_number
left join perhaps_covered
    on triggers.trigger_number = perhaps_covered.trigger_number
left join unmeasured
    on
        triggers.route = unmeasured.route
        and triggers.match_key = unmeasured.match_key
left join unrecognised
    on
        triggers.route = unrecognised.route
        and triggers.object_id = unrecognised.object_id
