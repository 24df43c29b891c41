-- Which order line a sales order item of SAP stands for: its customer reference names the order.
select
    system,
    'host_line' as object_type,
    doc_no || '/' || item_number as object_key,
    'order_line' as target_type,
    order_number || '/' || line_number as target_key,
    quantity,
    'declared_reference' as method,
    updated_at as recorded_at,
    raw_key
from {{ ref('stg_sap_odata__sales_order_items') }}
where order_number is not null and line_number is not null
qualify row_number() over (partition by system, record_id order by version_number desc) = 1
