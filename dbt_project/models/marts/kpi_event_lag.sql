-- How late each kind of event is written down by its source, and then seen by us. Quantiles only.
with events as (
    select
        system,
        role,
        object_type,
        milestone,
        occurred_at,
        recorded_from,
        recorded_to,
        seen_at,
        is_first_load
    from {{ ref('order_events') }}
    union all
    select
        system,
        role,
        'movement' as object_type,
        movement_kind as milestone,
        occurred_at,
        recorded_from,
        recorded_to,
        seen_at,
        is_first_load
    from {{ ref('inventory_movements') }}
),

-- To the end of the bracket in which the source wrote it: by then it surely had.
measured as (
    select
        system,
        role,
        object_type,
        milestone,
        {{ seconds_between('occurred_at', 'recorded_to') }} as source_lag,
        {{ seconds_between('recorded_from', 'recorded_to') }} as bracket,
        -- What the first load brings is history: how long it lay there tells nothing of the feed.
        case when not is_first_load then {{ seconds_between('recorded_to', 'seen_at') }} end
            as pipeline_lag
    from events
)

select
    system,
    role,
    object_type,
    milestone,
    count(*) as event_count,
    count(*) filter (where source_lag < 0) as negative_count,
    count(*) filter (where source_lag is null) as unknown_count,
    {%- for share in [50, 90, 95, 99] %}
        {{ quantile_where('source_lag', share / 100, 'source_lag >= 0') }}
            as source_lag_p{{ share }}_seconds,
    {%- endfor %}
    quantile_cont(bracket, 0.5) as recorded_bracket_p50_seconds,
    count(pipeline_lag) as pipeline_count,
    count(*) filter (where pipeline_lag < 0) as pipeline_negative_count,
{%- for share in [50, 90, 95, 99] %}
    {{ quantile_where('pipeline_lag', share / 100, 'pipeline_lag >= 0') }}
        as pipeline_lag_p{{ share }}_seconds{{ ',' if not loop.last }}
{%- endfor %}
from measured
group by system, role, object_type, milestone
