{#
    Claims of which a source changed the quantity later: CTEs of obligations_presence.sql, apart because
    hardly any claim ever is (docs/decisions/0010). Such a claim is broken once the most that B was within
    a grace is less than the least that A was within it, and no more once B is as much as that.
#}

{#
    Reads a_facts, b_changes, remeasured and required. Gives `claimants` (the A's that share a key with a
    changed one, each with a key of its own) and `claim_states` (what stands of B by that key, and what
    counts as if it were there, because it is not owed yet).
#}
{% macro changed_claims() -%}
-- Changes of A while its duty is there. What was changed before never was another duty.
a_changes as (
    select
        a_facts.route,
        a_facts.match_key,
        a_facts.fact_id,
        a_facts.quantity,
        a_facts.due_from,
        a_facts.promised_at,
        a_facts.grace_minutes,
        a_facts.awaits_b_anew,
        remeasured.nth,
        remeasured.change,
        remeasured.changed_from,
        remeasured.changed_to
    from a_facts
    inner join remeasured
        on a_facts.fact_id = remeasured.fact_id
    left join required
        on a_facts.rule_id = required.rule_id and a_facts.object_id = required.object_id
    where
        a_facts.covers_quantity
        and remeasured.changed_to > greatest(a_facts.recorded_to, required.required_to)
),

-- Where B is asked to say it anew: the first that was told of B after a change.
b_anew as (
    select
        a_changes.route,
        a_changes.fact_id,
        a_changes.nth,
        min(b_changes.changed_from) as told_from,
        min(b_changes.changed_to) as told_to
    from a_changes
    inner join b_changes
        on
            a_changes.route = b_changes.route
            and a_changes.match_key = b_changes.match_key
            and a_changes.changed_to < b_changes.changed_to
    where a_changes.awaits_b_anew
    group by a_changes.route, a_changes.fact_id, a_changes.nth
),

-- B can't be asked for more before that, nor before it was promised.
asked_changes as (
    select
        a_changes.*,
        case when a_changes.awaits_b_anew then b_anew.told_from else a_changes.changed_from end
            as asked_from,
        case when a_changes.awaits_b_anew then b_anew.told_to else a_changes.changed_to end
            as asked_to,
        case when a_changes.due_from = 'promised' then a_changes.promised_at end as not_before
    from a_changes
    left join b_anew
        on
            a_changes.route = b_anew.route
            and a_changes.fact_id = b_anew.fact_id
            and a_changes.nth = b_anew.nth
),

-- Each quantity that A had, since when, and until when nothing more is owed: until the grace of the
-- next one is over.
a_levels as (
    select
        route,
        fact_id,
        quantity - sum(change) over (
            partition by route, fact_id order by nth
            rows between current row and unbounded following
        ) as level,
        lag(changed_to) over (partition by route, fact_id order by nth) as since,
        asked_to is null as lasts,
        greatest(not_before, asked_from) + to_minutes(grace_minutes) as lasts_from,
        greatest(not_before, asked_to) + to_minutes(grace_minutes) as lasts_to
    from asked_changes
    union all
    select
        route,
        fact_id,
        any_value(quantity),
        max(changed_to),
        true as lasts,
        null as lasts_from,
        null as lasts_to
    from asked_changes
    group by route, fact_id
),

owed_moments as (
    select
        route,
        fact_id,
        min(owed_from) as owed_from,
        owed_to
    from (
        select
            route,
            fact_id,
            changed_from as owed_from,
            changed_to as owed_to
        from a_changes
        union all
        select
            route,
            fact_id,
            lasts_from,
            lasts_to
        from a_levels
        where not lasts
    ) as told
    group by route, fact_id, owed_to
),

-- The least that A was within a grace is what is owed at its end.
owed as (
    select
        owed_moments.*,
        arg_min(a_levels.level, abs(a_levels.level)) as owed_quantity
    from owed_moments
    inner join a_levels
        on
            owed_moments.route = a_levels.route
            and owed_moments.fact_id = a_levels.fact_id
            and coalesce(owed_moments.owed_to >= a_levels.since, true)
            and (a_levels.lasts or owed_moments.owed_to < a_levels.lasts_to)
    group by all
),

-- What is never owed, because B was not told anew, has no moment.
owed_steps as (
    select
        route,
        fact_id,
        owed_from,
        owed_to,
        owed_quantity
    from owed
    union all
    select
        route,
        fact_id,
        null as owed_from,
        null as owed_to,
        any_value(quantity) as owed_quantity
    from a_changes
    group by route, fact_id
),

first_levels as (
    select
        route,
        fact_id,
        level
    from a_levels
    where since is null
),

owed_changes as (
    select
        a_facts.route,
        a_facts.match_key,
        a_facts.fact_id,
        a_facts.claims_at,
        a_facts.recorded_from,
        a_facts.recorded_to,
        a_facts.reversed_to,
        steps.owed_from,
        steps.owed_to,
        try_cast(steps.owed_quantity - steps.owed_before as decimal(18, 6)) as change
    from (
        select
            owed_steps.*,
            coalesce(
                lag(owed_steps.owed_quantity) over (
                    partition by owed_steps.route, owed_steps.fact_id
                    order by owed_steps.owed_to nulls last
                ),
                first_levels.level
            ) as owed_before
        from owed_steps
        inner join first_levels
            on
                owed_steps.route = first_levels.route
                and owed_steps.fact_id = first_levels.fact_id
    ) as steps
    inner join a_facts
        on steps.route = a_facts.route and steps.fact_id = a_facts.fact_id
    where steps.owed_quantity <> steps.owed_before
),

-- What stands is then seen by each A of its own: its changes and those of whoever claims before it.
claimants as (
    select
        a_facts.*,
        a_facts.match_key || '#' || a_facts.fact_id as claim_key
    from a_facts
    semi join owed_changes
        on a_facts.route = owed_changes.route and a_facts.match_key = owed_changes.match_key
),

-- What is not owed yet counts as if it were there, and what is owed no more is lacking until then.
provisos as (
    select
        claimants.route,
        claimants.claim_key,
        least(owed_changes.recorded_from, claimants.recorded_from) as began_from,
        least(owed_changes.recorded_to, claimants.recorded_to) as began_to,
        owed_changes.change,
        owed_changes.owed_from,
        owed_changes.owed_to
    from claimants
    inner join owed_changes
        on
            claimants.route = owed_changes.route
            and claimants.match_key = owed_changes.match_key
            and (
                claimants.fact_id = owed_changes.fact_id
                or (
                    owed_changes.reversed_to is null
                    and (owed_changes.claims_at, owed_changes.recorded_to, owed_changes.fact_id)
                    < (claimants.claims_at, claimants.recorded_to, claimants.fact_id)
                )
            )
),

claimed_changes as (
    select
        b_changes.route,
        claimants.claim_key,
        b_changes.changed_from,
        b_changes.changed_to,
        b_changes.change,
        0 as proviso
    from b_changes
    inner join claimants
        on b_changes.route = claimants.route and b_changes.match_key = claimants.match_key
    union all
    select
        route,
        claim_key,
        began_from,
        began_to,
        0 as change,
        change as proviso
    from provisos
    union all
    select
        route,
        claim_key,
        owed_from,
        owed_to,
        0 as change,
        -change as proviso
    from provisos
    where owed_to is not null
),

-- What both sides change at one moment is one change of what stands.
claim_states as (
    select
        *,
        sum(change) over claim_history as standing,
        sum(proviso) over claim_history as provided,
        lead(changed_to) over claim_history as until
    from (
        select
            route,
            claim_key,
            min(changed_from) as changed_from,
            changed_to,
            sum(change) as change,
            sum(proviso) as proviso
        from claimed_changes
        group by route, claim_key, changed_to
    ) as moments
    window claim_history as (
        partition by route, claim_key order by changed_to
        rows between unbounded preceding and current row
    )
)
{%- endmacro %}

{# Reads all_triggers and claim_states. Gives `claims_due`: when a trigger of such a claim is due. #}
{% macro changed_claims_due() -%}
claimed_triggers as (
    select
        *,
        min(usually_due_at) filter (where rearmed = 0) over claim as first_due_at
    from all_triggers
    where is_claimed
    window claim as (partition by route, claim_key)
),

claim_moments as (
    select distinct
        triggers.route,
        triggers.claim_key,
        triggers.needed * triggers.needed_sign as needed,
        triggers.needed_sign,
        triggers.grace_minutes,
        unnest([
            triggers.usually_due_at,
            claim_states.changed_to,
            claim_states.changed_to + to_minutes(triggers.grace_minutes)
        ]) as moment
    from claimed_triggers as triggers
    left join claim_states
        on
            triggers.route = claim_states.route
            and triggers.claim_key = claim_states.claim_key
),

-- Such a claim is broken once the most that B was within a grace is less than what is owed by then.
broken_moments as (
    select
        moments.route,
        moments.claim_key,
        moments.moment
    from claim_moments as moments
    left join claim_states
        on
            moments.route = claim_states.route
            and moments.claim_key = claim_states.claim_key
            and moments.moment >= claim_states.changed_to
            and coalesce(
                moments.moment - to_minutes(moments.grace_minutes) < claim_states.until, true
            )
    where moments.moment is not null
    group by
        moments.route, moments.claim_key, moments.needed, moments.needed_sign, moments.moment
    having
        coalesce(max(claim_states.standing * moments.needed_sign), 0)
        < moments.needed
        - coalesce(arg_max(claim_states.provided, claim_states.changed_to), 0)
        * moments.needed_sign
),

claims_due as (
    select
        triggers.route,
        triggers.claim_key,
        triggers.rearmed,
        min(broken_moments.moment) as due_at
    from broken_moments
    asof inner join claimed_triggers as triggers
        on
            broken_moments.route = triggers.route
            and broken_moments.claim_key = triggers.claim_key
            and broken_moments.moment >= triggers.trigger_to
    where broken_moments.moment >= triggers.first_due_at
    group by triggers.route, triggers.claim_key, triggers.rearmed
)
{%- endmacro %}
