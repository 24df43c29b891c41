-- Fulfilment lines as Vendure holds them, one row a version.
with landed as (
    {{ versions('vendure', 'fulfilment_lines') }}
)

select
    landed.order_id as order_record,
    landed.order_code as order_number,
    landed.fulfilment_id as fulfilment_record,
    landed.line_id as line_record,
    landed.line_number,
    landed.quantity,
    landed.state,
    states.canonical_value as canonical_state,
    {{ mapping_method('landed.state', 'states.canonical_value') }} as state_mapping_method,
    landed.method as carrier_service,
    landed.tracking_code as tracking_number,
    {{ instant('landed.shipped_at', 'shipped') }},
    {{ instant('landed.delivered_at', 'delivered') }},
    {{ instant('landed.cancelled_at', 'cancelled') }},
    {{ instant('landed.updated_at', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as states
    on
        states.connector = 'vendure'
        and states.entity = 'fulfilment_lines'
        and states.field = 'state'
        and landed.state = states.source_value
