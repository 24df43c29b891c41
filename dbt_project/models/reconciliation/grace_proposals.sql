-- How long pairs of systems take to agree by themselves, and the grace that follows from it: what
-- 99 of 100 duties did not exceed, and a quarter more, in steps of five minutes.
{{ config(materialized='view') }}

with met as (
    select
        duties.rule_id,
        duties.a_system as system,
        rules.title,
        rules.grace_minutes,
        counterparts.system as counterpart_system,
        greatest(
            epoch(duties.end_to - duties.due_at) / 60 + rules.grace_minutes, 0
        ) as lag_minutes,
        -- Raised is only what certainly came too late.
        epoch(duties.end_from - duties.due_at) / 60 + rules.grace_minutes as certain_lag_minutes
    from {{ ref('obligations') }} as duties
    inner join {{ ref('rules_in_force') }} as rules
        on duties.rule_id = rules.rule_id
    left join {{ ref('rule_counterparts') }} as counterparts
        on duties.rule_id = counterparts.rule_id and duties.a_system = counterparts.a_system
    left join {{ ref('corrected_obligations') }} as corrected
        on duties.obligation_id = corrected.obligation_id
    where
        duties.family = 'presence'
        and duties.due_at is not null
        and duties.end_to is not null
        and corrected.obligation_id is null
),

lags as (
    select
        rule_id,
        system,
        counterpart_system,
        any_value(title) as title,
        any_value(grace_minutes) as grace_minutes,
        count(*) as met_count,
        round(quantile_cont(lag_minutes, 0.5), 3) as lag_p50_minutes,
        round(quantile_cont(lag_minutes, 0.95), 3) as lag_p95_minutes,
        round(quantile_cont(lag_minutes, 0.99), 3) as lag_p99_minutes,
        list(certain_lag_minutes) as lags
    from met
    group by rule_id, system, counterpart_system
),

proposed as (
    select
        *,
        cast(ceil(lag_p99_minutes * 1.25 / 5) * 5 as integer) as proposed_grace_minutes
    from lags
)

select
    rule_id,
    system,
    counterpart_system,
    title,
    met_count,
    lag_p50_minutes,
    lag_p95_minutes,
    lag_p99_minutes,
    grace_minutes,
    proposed_grace_minutes,
    len(list_filter(lags, lambda lag_minutes: lag_minutes > grace_minutes)) as alarms_now,
    len(
        list_filter(lags, lambda lag_minutes: lag_minutes > proposed_grace_minutes)
    ) as alarms_proposed
from proposed
