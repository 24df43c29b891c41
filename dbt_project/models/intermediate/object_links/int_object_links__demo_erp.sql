-- Which order line a document line of the demo ERP stands for: the ERP names the order it answers,
-- and the purchase order line by which a supplier ships it.
with lines as (
    select *
    from {{ ref('stg_demo_erp__sales_order_lines') }}
    where order_number is not null and line_number is not null
    qualify row_number() over (partition by system, record_id order by version_number desc) = 1
)

select
    system,
    'host_line' as object_type,
    doc_no || '/' || position_number as object_key,
    'order_line' as target_type,
    order_number || '/' || line_number as target_key,
    quantity,
    'declared_reference' as method,
    updated_at as recorded_at,
    raw_key
from lines
union all
select
    system,
    'purchase_line' as object_type,
    purchase_order || '/' || purchase_line as object_key,
    'order_line' as target_type,
    order_number || '/' || line_number as target_key,
    quantity,
    'declared_reference' as method,
    updated_at as recorded_at,
    raw_key
from lines
where purchase_order is not null and purchase_line is not null
