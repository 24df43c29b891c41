-- Lines of returns, one row a version of a line.
with landed as (
    {{ versions('x12', 'return_lines', position='position') }}
)

select
    landed.return_number,
    landed.line_id,
    landed.purpose_code,
    codes.canonical_value as canonical_status,
    {{ mapping_method('landed.purpose_code', 'codes.canonical_value') }} as status_mapping_method,
    landed.order_number,
    landed.line_number,
    landed.quantity,
    {{ exact_product('landed.quantity', 'landed.base_factor') }} as base_quantity,
    landed.uom_source,
    landed.uom,
    landed.item,
    landed.item_qualifier,
    landed.reason_code,
    landed.returned_on,
    landed.partner,
    landed.direction,
    landed.set_code,
    landed.interchange_id,
    landed.group_control_number,
    landed.set_control_number,
    landed.position as sender_position,
    landed.origin,
    {{ local_day('landed.returned_on', 'returned') }},
    {{ local_instant('landed.written_at', 'written', precision='1 minute') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as codes
    on
        codes.connector = 'x12'
        and codes.entity = 'return_lines'
        and codes.field = 'purpose_code'
        and landed.purpose_code = codes.source_value
