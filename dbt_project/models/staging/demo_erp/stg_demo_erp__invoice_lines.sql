-- Invoices posted in the ERP, one row a version of a line.
with landed as (
    {{ versions('demo_erp', 'invoice_lines') }}
)

select
    landed.inv_no as invoice_number,
    landed.pos as position_number,
    landed.doc_no,
    landed.ship_ref as shipment_number,
    landed.inv_date as invoice_date,
    strftime(landed.inv_date, '%Y-%m') as accounting_period,
    landed.amt as invoice_amount,
    landed.curr as currency,
    landed.stat as status,
    states.canonical_value as canonical_status,
    {{ mapping_method('landed.stat', 'states.canonical_value') }} as status_mapping_method,
    landed.row_version as record_version,
    landed.qty as quantity,
    landed.prc as unit_price,
    landed.origin,
    {{ local_instant('landed.posted', 'posted') }},
    {{ local_instant('landed.voided', 'voided') }},
    {{ local_instant('landed.modified', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as states
    on
        states.connector = 'demo_erp'
        and states.entity = 'invoice_lines'
        and states.field = 'stat'
        and landed.stat = states.source_value
