-- How long exceptions stay open, by rule, owner and currency, measured at the newest extraction.
with build as (
    {{ newest_extraction() }}
),

aged as (
    select
        exceptions.rule_id,
        exceptions.title,
        exceptions.severity,
        exceptions.owner,
        exceptions.currency,
        exceptions.status,
        exceptions.opened_at,
        exceptions.value_at_risk,
        build.measured_at,
        -- Never the clock on the wall: a rebuild of the same observations gives the same numbers.
        case
            when exceptions.status = 'open'
                then {{ seconds_between('exceptions.opened_at', 'build.measured_at') }}
        end as age,
        {{ seconds_between('exceptions.opened_at', 'exceptions.closed_at') }} as time_to_close
    from {{ ref('exceptions') }} as exceptions
    cross join build
)

select
    rule_id,
    title,
    severity,
    owner,
    currency,
    measured_at,
    count(*) filter (where status = 'open') as open_count,
    count(*) filter (where status = 'closed') as closed_count,
    count(*) filter (where status = 'pending') as pending_count,
    quantile_cont(age, 0.5) as age_p50_seconds,
    quantile_cont(age, 0.9) as age_p90_seconds,
    min(opened_at) filter (where status = 'open') as oldest_opened_at,
    quantile_cont(time_to_close, 0.5) as time_to_close_p50_seconds,
    quantile_cont(time_to_close, 0.9) as time_to_close_p90_seconds,
    sum(value_at_risk) filter (where status = 'open') as open_value_at_risk
from aged
group by rule_id, title, severity, owner, currency, measured_at
