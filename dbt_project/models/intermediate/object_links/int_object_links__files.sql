-- Which purchase order lines travelled under which shipment notice, as files tell it.
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
