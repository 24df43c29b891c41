-- Scans and notices of the carrier, one row an event.
with landed as (
    {{ versions('demo_carrier', 'tracking_events', position='seq') }}
)

select
    landed.event_id,
    landed.tracking_number,
    landed.code,
    codes.canonical_value as canonical_code,
    {{ mapping_method('landed.code', 'codes.canonical_value') }} as code_mapping_method,
    landed.reason,
    reasons.canonical_value as reason_code,
    landed.reference as shipment_number,
    -- The scanner's time, not the server's: left as it was told.
    landed.timestamp as occurred_at,
    landed.expected_delivery as expected_at,
    {{ instant('landed.reported_at', 'reported') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as codes
    on
        codes.connector = 'demo_carrier'
        and codes.entity = 'tracking_events'
        and codes.field = 'code'
        and landed.code = codes.source_value
left join {{ ref('status_map') }} as reasons
    on
        reasons.connector = 'demo_carrier'
        and reasons.entity = 'tracking_events'
        and reasons.field = 'reason'
        and landed.reason = reasons.source_value
