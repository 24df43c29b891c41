-- Family feed: a source must go on telling us what we can use. One model for every signal; it
-- speaks once for a feed, a system or a code, however many records that concerns.
{{ config(materialized='view') }}

with rules as (
    select
        signals.rule_id,
        signals.signal,
        signals.scope,
        rules.grace_minutes
    from {{ ref('rules_in_force') }} as rules
    inner join {{ ref('feed_signals') }} as signals
        on rules.rule_id = signals.rule_id
    where rules.family = 'feed'
),

-- A kind of failure that has a row of its own is its own signal: a system that can't be reached is
-- one trouble, not one for each of its feeds.
signalled as (
    select
        troubles.* exclude (signal),
        coalesce(kinds.signal, troubles.signal) as signal
    from {{ ref('feed_troubles') }} as troubles
    left join rules as kinds
        on troubles.error_kind = kinds.signal
),

troubles as (
    select
        rules.rule_id,
        rules.scope,
        signalled.system as a_system,
        case when rules.scope in ('feed', 'code') then signalled.entity end as entity,
        case rules.scope when 'system' then signalled.system else signalled.object_id end
            as object_id,
        signalled.signal,
        signalled.observed,
        signalled.raw_key,
        signalled.begun_at,
        signalled.begun_at + to_minutes(rules.grace_minutes) as due_at,
        signalled.ended_from as end_from,
        signalled.ended_to as end_to
    from signalled
    inner join rules
        on signalled.signal = rules.signal
    -- Put right in time, for all that we know: it never was anybody's work.
    where
        signalled.ended_to is null
        or signalled.ended_from > signalled.begun_at + to_minutes(rules.grace_minutes)
),

-- Troubles of one object that overlap are one: it lasts until the last of them is over.
chained as (
    select
        *,
        count_if(starts_chain) over (
            partition by rule_id, a_system, object_id, signal
            order by due_at, begun_at, raw_key
            rows between unbounded preceding and current row
        ) as chain
    from (
        select
            *,
            due_at > coalesce(
                max(coalesce(end_to, 'infinity')) over (
                    partition by rule_id, a_system, object_id, signal
                    order by due_at, begun_at, raw_key
                    rows between unbounded preceding and 1 preceding
                ),
                '-infinity'
            ) as starts_chain
        from troubles
    ) as marked
),

episodes as (
    select
        rule_id,
        a_system,
        entity,
        object_id,
        signal,
        chain,
        any_value(scope) as scope,
        count(*) as trouble_count,
        arg_min(observed, (due_at, begun_at, observed)) as observed,
        min(raw_key) as raw_key,
        min(begun_at) as first_seen_at,
        min(due_at) as due_at,
        case when count(*) = count(end_to) then max(end_from) end as end_from,
        case when count(*) = count(end_to) then max(end_to) end as end_to
    from chained
    group by rule_id, a_system, entity, object_id, signal, chain
)

select
    rule_id,
    a_system,
    entity,
    case
        when scope in ('object', 'pair') then object_id else coalesce(entity, a_system)
    end as a_record_id,
    signal as milestone,
    cast(chain as integer) as ordinal,
    scope as object_type,
    object_id,
    cast(null as varchar) as order_id,
    cast(null as varchar) as order_line_id,
    cast(null as varchar) as document,
    cast(null as varchar) as own_document,
    cast(null as varchar) as line_record,
    signal as field,
    cast(null as varchar) as item_id,
    cast(null as varchar) as location_id,
    cast(null as decimal(18, 6)) as quantity,
    cast(null as varchar) as expected_value,
    case when trouble_count > 1 then trouble_count || ' times, such as ' else '' end || observed
        as observed_value,
    true as is_linked,
    due_at,
    end_from,
    end_to,
    case when end_to is not null then 'put_right' end as end_reason,
    first_seen_at,
    false as is_first_load,
    raw_key
from episodes
