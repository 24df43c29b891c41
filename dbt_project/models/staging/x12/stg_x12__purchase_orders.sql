-- Purchase orders and their changes, one row a version of an order.
with landed as (
    {{ versions('x12', 'purchase_orders', position='position') }}
)

select
    landed.po_number,
    landed.purpose_code,
    codes.canonical_value as canonical_status,
    {{ mapping_method('landed.purpose_code', 'codes.canonical_value') }} as status_mapping_method,
    landed.order_type,
    landed.change_number,
    landed.ordered_on,
    landed.requested_on,
    landed.currency,
    landed.ship_to,
    landed.partner,
    landed.direction,
    landed.set_code,
    landed.interchange_id,
    landed.group_control_number,
    landed.set_control_number,
    landed.position as sender_position,
    landed.origin,
    {{ local_day('landed.ordered_on', 'ordered') }},
    {{ local_instant('landed.written_at', 'written', precision='1 minute') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as codes
    on
        codes.connector = 'x12'
        and codes.entity = 'purchase_orders'
        and codes.field = 'purpose_code'
        and landed.purpose_code = codes.source_value
