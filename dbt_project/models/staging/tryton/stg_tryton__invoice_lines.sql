-- Customer invoices and credit notes posted in Tryton, one row a version of a line.
with landed as (
    {{ versions('tryton', 'invoice_lines') }}
)

select
    landed.invoice_number,
    landed.sale_number,
    landed.sequence as line_number,
    landed.shipment_reference as shipment_number,
    landed.invoice_date,
    landed.currency,
    landed.state as status,
    states.canonical_value as canonical_status,
    {{ mapping_method('landed.state', 'states.canonical_value') }} as status_mapping_method,
    landed.product_code as sku,
    landed.quantity,
    landed.unit_price,
    landed.description as origin,
    {{ instant('landed.posted_at', 'posted') }},
    {{ instant('landed.cancelled_at', 'voided') }},
    {{ instant('greatest(landed.modified_at, landed.line_modified_at)', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as states
    on
        states.connector = 'tryton'
        and states.entity = 'invoice_lines'
        and states.field = 'state'
        and landed.state = states.source_value
