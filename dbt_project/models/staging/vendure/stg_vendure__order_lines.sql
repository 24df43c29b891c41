-- Order lines as Vendure holds them, one row a version.
with landed as (
    {{ versions('vendure', 'order_lines') }}
)

select
    landed.order_id as order_record,
    landed.order_code as order_number,
    landed.line_id as line_record,
    landed.line_number,
    landed.order_type,
    landed.order_state,
    order_states.canonical_value as canonical_order_state,
    {{ mapping_method('landed.order_state', 'order_states.canonical_value') }}
        as order_state_mapping_method,
    landed.currency,
    landed.customer_email,
    landed.reference as customer_po,
    landed.sku,
    landed.quantity,
    landed.placed_quantity,
    landed.shipped_quantity,
    landed.delivered_quantity,
    landed.unit_price,
    -- Vendure writes all of these itself when it happens: nobody can back-date them.
    {{ instant('landed.placed_at', 'placed') }},
    {{ instant('landed.settled_at', 'settled') }},
    {{ instant('landed.delivered_at', 'delivered') }},
    {{ instant('landed.cancelled_at', 'cancelled') }},
    {{ instant('landed.updated_at', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as order_states
    on
        order_states.connector = 'vendure'
        and order_states.entity = 'order_lines'
        and order_states.field = 'order_state'
        and landed.order_state = order_states.source_value
