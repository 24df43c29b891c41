-- Billing document items of SAP, one row a version.
with landed as (
    {{ versions('sap_odata', 'billing_items') }}
)

select
    landed.billing_document as invoice_number,
    landed.billing_item as item_number,
    landed.billing_type,
    landed.sales_order as doc_no,
    landed.sales_order_item as order_item_number,
    landed.payer as customer_number,
    landed.currency,
    landed.posting_status as status,
    states.canonical_value as canonical_status,
    {{ mapping_method('landed.posting_status', 'states.canonical_value') }}
        as status_mapping_method,
    landed.material as item_no,
    landed.billed_quantity as quantity,
    landed.quantity_unit as uom,
    landed.net_amount,
    {{ instant('landed.created_at', 'created') }},
    {{ instant('landed.changed_at', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as states
    on
        states.connector = 'sap_odata'
        and states.entity = 'billing_items'
        and states.field = 'posting_status'
        and landed.posting_status = states.source_value
