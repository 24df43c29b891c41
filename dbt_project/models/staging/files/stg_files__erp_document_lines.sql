-- Document lines of an ERP from dropped files, one row a version.
with landed as (
    {{ versions('files', 'erp_document_lines') }}
)

select
    landed.document_type,
    landed.document_number,
    landed.line_number as position_number,
    landed.sales_document,
    landed.sales_line,
    landed.order_number,
    landed.order_line as line_number,
    landed.warehouse_reference,
    landed.answers_document,
    landed.item,
    landed.place as warehouse,
    places.location_id,
    landed.quantity,
    landed.uom,
    landed.unit_price,
    landed.currency,
    landed.customer as customer_number,
    landed.customer_po,
    landed.status,
    states.canonical_value as canonical_status,
    {{ mapping_method('landed.status', 'states.canonical_value') }} as status_mapping_method,
    landed.movement_type,
    landed.reason,
    landed.bank_reference,
    {{ local_instant('landed.entered_at', 'entered') }},
    {{ local_instant('landed.held_at', 'held') }},
    {{ local_instant('landed.validated_at', 'validated') }},
    {{ local_instant('landed.booked_at', 'booked') }},
    {{ local_instant('landed.released_at', 'released') }},
    {{ local_instant('landed.cancelled_at', 'cancelled') }},
    {{ local_instant('landed.posted_at', 'posted') }},
    {{ local_instant('landed.reversed_at', 'reversed') }},
    {{ local_instant('landed.changed_at', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as states
    on
        states.connector = 'files'
        and states.entity = 'erp_document_lines'
        and states.field = 'status'
        and landed.status = states.source_value
left join {{ ref('location_map') }} as places
    on places.connector = 'files' and landed.place = places.source_location
