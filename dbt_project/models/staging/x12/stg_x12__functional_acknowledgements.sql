-- What partners said of our functional groups, one row a version of an acknowledgement.
with landed as (
    {{ versions('x12', 'functional_acknowledgements', position='position') }}
)

select
    landed.functional_id,
    landed.group_number,
    landed.status_code,
    codes.canonical_value as canonical_status,
    {{ mapping_method('landed.status_code', 'codes.canonical_value') }} as status_mapping_method,
    landed.included_count,
    landed.received_count,
    landed.accepted_count,
    landed.set_statuses,
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
        and codes.entity = 'functional_acknowledgements'
        and codes.field = 'status_code'
        and landed.status_code = codes.source_value
