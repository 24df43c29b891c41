-- Scans and notices of carriers and trackers, one row an event.
with landed as (
    {{ versions('carrier_tracking', 'tracking_events') }}
),

known_codes as (
    select
        field,
        source_value,
        canonical_value
    from {{ ref('status_map') }}
    where connector = 'carrier_tracking' and entity = 'tracking_events'
),

-- The finest code that a seed knows decides: a delay may hide under "in transit".
mapped as (
    select
        landed.*,
        coalesce(
            details.canonical_value, codes.canonical_value, statuses.canonical_value
        ) as canonical_code,
        reasons.canonical_value as reason_code
    from landed
    left join known_codes as details
        on details.field = 'code' and landed.detail = details.source_value
    left join known_codes as codes
        on codes.field = 'code' and landed.code = codes.source_value
    left join known_codes as statuses
        on statuses.field = 'code' and landed.status = statuses.source_value
    left join known_codes as reasons
        on reasons.field = 'reason' and landed.reason = reasons.source_value
)

select
    event_id,
    carrier,
    tracking_number,
    code,
    detail,
    canonical_code,
    {{ mapping_method('code', 'canonical_code') }} as code_mapping_method,
    reason,
    -- Some carriers give every scan a reason, and in transit theirs mean something else.
    case
        when canonical_code in ('delayed', 'delivery_exception', 'delivered') then reason_code
    end as reason_code,
    description,
    occurred_at,
    occurred_from,
    occurred_to,
    local_time,
    time_method,
    -- Carriers tell when they scanned, not when they wrote it; a tracker tells both.
    coalesce(recorded_at, occurred_from) - clock_ahead_most as recorded_from,
    coalesce(recorded_at, occurred_to) - clock_ahead_least as recorded_to,
    country,
    region,
    city,
    postal_code,
    {{ provenance() }}
from mapped
