-- Suppliers' answers to purchase orders, one row a version of an answer.
with landed as (
    {{ versions('x12', 'acknowledgements', position='position') }}
)

select
    landed.po_number,
    landed.purpose_code,
    landed.status_code,
    codes.canonical_value as canonical_status,
    {{ mapping_method('landed.status_code', 'codes.canonical_value') }} as status_mapping_method,
    landed.seller_order,
    landed.acknowledged_on,
    landed.partner,
    landed.direction,
    landed.set_code,
    landed.interchange_id,
    landed.group_control_number,
    landed.set_control_number,
    landed.position as sender_position,
    landed.origin,
    {{ local_day('landed.acknowledged_on', 'acknowledged') }},
    {{ local_instant('landed.written_at', 'written', precision='1 minute') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as codes
    on
        codes.connector = 'x12'
        and codes.entity = 'acknowledgements'
        and codes.field = 'status_code'
        and landed.status_code = codes.source_value
