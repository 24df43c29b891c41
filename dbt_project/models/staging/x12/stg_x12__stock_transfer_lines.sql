-- Lines of stock transfers and receipts, one row a version of a line.
with landed as (
    {{ versions('x12', 'stock_transfer_lines', position='position') }}
)

select
    landed.transfer_number,
    landed.line_id,
    landed.shipment_number,
    landed.po_number,
    landed.line_number,
    landed.location,
    places.location_id,
    landed.quantity,
    {{ exact_product('landed.quantity', 'landed.base_factor') }} as base_quantity,
    landed.uom_source,
    landed.uom,
    landed.damaged_quantity,
    landed.item,
    landed.item_qualifier,
    landed.moved_on,
    landed.partner,
    landed.direction,
    landed.set_code,
    codes.canonical_value as canonical_status,
    {{ mapping_method('landed.set_code', 'codes.canonical_value') }} as status_mapping_method,
    landed.interchange_id,
    landed.group_control_number,
    landed.set_control_number,
    landed.position as sender_position,
    landed.origin,
    {{ local_day('landed.moved_on', 'moved') }},
    {{ local_instant('landed.written_at', 'written', precision='1 minute') }},
    {{ provenance() }}
from landed
left join {{ ref('location_map') }} as places
    on places.connector = 'x12' and landed.location = places.source_location
left join {{ ref('status_map') }} as codes
    on
        codes.connector = 'x12'
        and codes.entity = 'stock_transfer_lines'
        and codes.field = 'set_code'
        and landed.set_code = codes.source_value
