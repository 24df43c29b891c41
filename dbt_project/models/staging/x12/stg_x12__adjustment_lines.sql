-- Lines of stock adjustments that warehouses made, one row a version of a line.
with landed as (
    {{ versions('x12', 'adjustment_lines', position='position') }}
)

select
    landed.adjustment_number,
    landed.line_id,
    landed.reason_code,
    landed.location,
    places.location_id,
    landed.quantity,
    {{ exact_product('landed.quantity', 'landed.base_factor') }} as base_quantity,
    landed.uom_source,
    landed.uom,
    landed.item,
    landed.item_qualifier,
    landed.adjusted_on,
    landed.partner,
    landed.direction,
    landed.set_code,
    landed.interchange_id,
    landed.group_control_number,
    landed.set_control_number,
    landed.position as sender_position,
    landed.origin,
    {{ local_day('landed.adjusted_on', 'adjusted') }},
    {{ local_instant('landed.written_at', 'written', precision='1 minute') }},
    {{ provenance() }}
from landed
left join {{ ref('location_map') }} as places
    on places.connector = 'x12' and landed.location = places.source_location
