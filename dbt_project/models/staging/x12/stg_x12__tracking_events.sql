-- What carriers say of shipments, one row a version of an event.
with landed as (
    {{ versions('x12', 'tracking_events', position='position') }}
)

select
    landed.tracking_number,
    landed.shipment_number,
    landed.carrier,
    landed.status_code,
    codes.canonical_value as canonical_status,
    {{ mapping_method('landed.status_code', 'codes.canonical_value') }} as status_mapping_method,
    landed.reason_code,
    landed.occurred_at,
    landed.place,
    landed.partner,
    landed.direction,
    landed.set_code,
    landed.interchange_id,
    landed.group_control_number,
    landed.set_control_number,
    landed.position as sender_position,
    landed.origin,
    {{ local_instant('landed.written_at', 'written', precision='1 minute') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as codes
    on
        codes.connector = 'x12'
        and codes.entity = 'tracking_events'
        and codes.field = 'status_code'
        and landed.status_code = codes.source_value
