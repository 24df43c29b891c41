-- Balances that warehouses told, one row an item, kind of quantity, place and extraction.
with landed as (
    {{ snapshots('x12', 'inventory') }}
)

select
    landed.advice_number,
    landed.location,
    places.location_id,
    landed.quantity_qualifier,
    landed.state,
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
    {{ local_instant('landed.as_of', 'balance') }},
    {{ local_instant('landed.written_at', 'written', precision='1 minute') }},
    {{ provenance(versioned=false) }}
from landed
left join {{ ref('location_map') }} as places
    on places.connector = 'x12' and landed.location = places.source_location
