-- Codes of carriers and trackers that no seed knows, and reasons where one is needed.
with needed_reasons as (
    select distinct reason
    from {{ ref('stg_carrier_tracking__tracking_events') }}
    where canonical_code in ('delayed', 'delivery_exception')
),

reasons as (
    {{ unmapped_statuses('carrier_tracking', 'tracking_events', 'reason') }}
)

{{ unmapped_statuses('carrier_tracking', 'tracking_events', 'code') }}
union all
select reasons.*
from reasons
semi join needed_reasons on reasons.source_value = needed_reasons.reason
