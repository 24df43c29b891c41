-- Lines of purchase orders and of their changes, one row a version of a line.
with landed as (
    {{ versions('x12', 'purchase_order_lines', position='position') }}
)

select
    landed.po_number,
    landed.line_number,
    landed.purpose_code,
    landed.change_code,
    codes.canonical_value as canonical_status,
    {{ mapping_method('landed.change_code', 'codes.canonical_value') }} as status_mapping_method,
    landed.quantity,
    {{ exact_product('landed.quantity', 'landed.base_factor') }} as base_quantity,
    landed.uom_source,
    landed.uom,
    landed.item,
    landed.item_qualifier,
    landed.unit_price,
    case when landed.base_factor = 1 then landed.unit_price end as base_unit_price,
    landed.currency,
    landed.requested_on,
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
        and codes.entity = 'purchase_order_lines'
        and codes.field = 'change_code'
        and landed.change_code = codes.source_value
