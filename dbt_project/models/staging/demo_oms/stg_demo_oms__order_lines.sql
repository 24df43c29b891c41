-- Order lines as the order management system holds them, one row a version.
with landed as (
    {{ versions('demo_oms', 'order_lines') }}
)

select
    landed.order_id as order_record,
    landed.order_number,
    landed.line_no as line_number,
    landed.channel,
    landed.customer_ref,
    landed.customer_po,
    landed.region,
    landed.ship_to,
    landed.currency,
    landed.order_status,
    landed.line_status,
    line_states.canonical_value as canonical_line_status,
    {{ mapping_method('landed.line_status', 'line_states.canonical_value') }}
        as line_status_mapping_method,
    landed.version as record_version,
    landed.sku,
    landed.qty as quantity,
    landed.uom,
    landed.unit_price,
    landed.replaces,
    {{ instant('landed.placed_at', 'placed') }},
    {{ instant('landed.accepted_at', 'accepted') }},
    landed.reservation,
    reservations.canonical_value as canonical_reservation,
    {{ mapping_method('landed.reservation', 'reservations.canonical_value') }}
        as reservation_mapping_method,
    {{ instant('landed.reservation_at', 'reservation') }},
    -- What was promised lies ahead: no clock of ours was asked.
    landed.promised_by as promised_at,
    {{ instant('landed.exception_at', 'exception') }},
    -- People set this one: business time, left as it was told.
    landed.cancelled_at,
    {{ bracket('landed.cancelled_at', 'cancelled') }},
    -- People set this one: business time, left as it was told.
    landed.delivered_at,
    {{ bracket('landed.delivered_at', 'delivered') }},
    {{ instant('landed.updated_at', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as line_states
    on
        line_states.connector = 'demo_oms'
        and line_states.entity = 'order_lines'
        and line_states.field = 'line_status'
        and landed.line_status = line_states.source_value
left join {{ ref('status_map') }} as reservations
    on
        reservations.connector = 'demo_oms'
        and reservations.entity = 'order_lines'
        and reservations.field = 'reservation'
        and landed.reservation = reservations.source_value
