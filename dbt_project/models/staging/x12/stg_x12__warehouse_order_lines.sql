-- Lines of warehouse orders that we sent, one row a version of a line.
with landed as (
    {{ versions('x12', 'warehouse_order_lines', position='position') }}
)

select
    landed.host_order,
    landed.line_number,
    landed.status_code,
    codes.canonical_value as canonical_status,
    {{ mapping_method('landed.status_code', 'codes.canonical_value') }} as status_mapping_method,
    landed.po_number,
    landed.location,
    places.location_id,
    landed.ship_to,
    landed.requested_on,
    landed.quantity,
    {{ exact_product('landed.quantity', 'landed.base_factor') }} as base_quantity,
    landed.uom_source,
    landed.uom,
    landed.item,
    landed.item_qualifier,
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
        and codes.entity = 'warehouse_order_lines'
        and codes.field = 'status_code'
        and landed.status_code = codes.source_value
left join {{ ref('location_map') }} as places
    on places.connector = 'x12' and landed.location = places.source_location
