-- Which purchase order lines travelled under which shipment notice, and which order line a document
-- line of an ERP stands for, as files tell it.
with sales as (
    select *
    from {{ ref('stg_files__erp_document_lines') }}
    where document_type = 'S' and order_number is not null and line_number is not null
    qualify row_number() over (partition by system, record_id order by version_number desc) = 1
)

select
    system,
    'shipment_line' as object_type,
    shipment_number || '/' || line_number as object_key,
    'order_line' as target_type,
    order_line_id as target_key,
    quantity,
    'declared_reference' as method,
    coalesce(recorded_to, seen_at) as recorded_at,
    raw_key
from {{ ref('stg_files__purchase_order_lines') }}
where shipment_number is not null
qualify row_number() over (partition by system, record_id order by version_number desc) = 1
union all
-- Its own postings name its own number, which another ERP may have given, too.
select
    system,
    'sales_line' as object_type,
    document_number || '/' || position_number as object_key,
    'order_line' as target_type,
    order_number || '/' || line_number as target_key,
    quantity,
    'declared_reference' as method,
    updated_at as recorded_at,
    raw_key
from sales
union all
-- Others name what they were told.
select
    system,
    'host_line' as object_type,
    warehouse_reference || '/' || position_number as object_key,
    'order_line' as target_type,
    order_number || '/' || line_number as target_key,
    quantity,
    'declared_reference' as method,
    updated_at as recorded_at,
    raw_key
from sales
where warehouse_reference is not null
