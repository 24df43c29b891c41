-- Suppliers' answers to order lines, one row a version of a line.
with landed as (
    {{ versions('x12', 'acknowledgement_lines', position='position') }}
)

select
    landed.po_number,
    landed.line_number,
    landed.part,
    landed.purpose_code,
    landed.status_code,
    codes.canonical_value as canonical_status,
    {{ mapping_method('landed.status_code', 'codes.canonical_value') }} as status_mapping_method,
    landed.seller_order,
    landed.quantity,
    {{ exact_product('landed.quantity', 'landed.base_factor') }} as base_quantity,
    landed.uom_source,
    landed.uom,
    landed.ordered_quantity,
    landed.item,
    landed.item_qualifier,
    landed.unit_price,
    case when landed.base_factor = 1 then landed.unit_price end as base_unit_price,
    landed.currency,
    landed.promised_on,
    landed.partner,
    landed.direction,
    landed.set_code,
    landed.interchange_id,
    landed.group_control_number,
    landed.set_control_number,
    landed.position as sender_position,
    landed.origin,
    {{ local_day('landed.promised_on', 'promised') }},
    {{ local_instant('landed.written_at', 'written', precision='1 minute') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as codes
    on
        codes.connector = 'x12'
        and codes.entity = 'acknowledgement_lines'
        and codes.field = 'status_code'
        and landed.status_code = codes.source_value
