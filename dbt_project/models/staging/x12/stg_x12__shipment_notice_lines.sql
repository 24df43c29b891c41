-- Lines of ship notices, one row a version of a line.
with landed as (
    {{ versions('x12', 'shipment_notice_lines', position='position') }}
)

select
    landed.shipment_number,
    landed.line_id,
    landed.purpose_code,
    codes.canonical_value as canonical_status,
    {{ mapping_method('landed.purpose_code', 'codes.canonical_value') }} as status_mapping_method,
    landed.po_number,
    landed.line_number,
    landed.quantity,
    {{ exact_product('landed.quantity', 'landed.base_factor') }} as base_quantity,
    landed.uom_source,
    landed.uom,
    landed.ordered_quantity,
    landed.item,
    landed.item_qualifier,
    landed.package_number,
    landed.tracking_number,
    landed.bill_of_lading,
    landed.carrier,
    landed.shipped_on,
    landed.expected_on,
    landed.ship_to,
    landed.partner,
    landed.direction,
    landed.set_code,
    landed.interchange_id,
    landed.group_control_number,
    landed.set_control_number,
    landed.position as sender_position,
    landed.origin,
    {{ local_day('landed.shipped_on', 'shipped') }},
    {{ local_day('landed.expected_on', 'expected') }},
    {{ local_instant('landed.written_at', 'written', precision='1 minute') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as codes
    on
        codes.connector = 'x12'
        and codes.entity = 'shipment_notice_lines'
        and codes.field = 'purpose_code'
        and landed.purpose_code = codes.source_value
