-- Codes of carriers and trackers that no seed knows, and reasons where one is called for.
{{ unmapped_statuses('carrier_tracking', 'tracking_events', 'code') }}
union all
select
    'carrier_tracking' as connector,
    system,
    'tracking_events' as entity,
    'reason' as field_name,
    'reason' as code_kind,
    reason as source_value,
    count(distinct record_id) as record_count,
    min(seen_at) as first_seen_at,
    max(seen_at) as last_seen_at,
    cast(null as timestamptz) as cleared_at,
    min(record_id) as sample_record_id
from {{ ref('stg_carrier_tracking__tracking_events') }}
where
    canonical_code in ('delayed', 'delivery_exception')
    and reason is not null
    and reason_code is null
group by system, reason
