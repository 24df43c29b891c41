-- What belongs to which order line in Tryton: lines and items of a sale, and packages.
with sale_lines as (
    select *
    from {{ ref('stg_tryton__sale_lines') }}
    where
        order_number is not null
        and line_number is not null
        and sale_number is not null
        and quantity >= 0
    qualify
        row_number() over (partition by system, record_id order by version_number desc) = 1
),

packed as (
    select *
    from {{ ref('stg_tryton__shipment_lines') }}
    where tracking_number is not null and canonical_status = 'shipped'
    qualify
        row_number() over (partition by system, record_id order by version_number desc) = 1
        and quantity > 0
)

select
    system,
    'host_line' as object_type,
    sale_number || '/' || line_number as object_key,
    'order_line' as target_type,
    order_number || '/' || line_number as target_key,
    quantity,
    'declared_reference' as method,
    updated_at as recorded_at,
    raw_key
from sale_lines
union all
-- What knows the order only by its number finds the line by the item.
select
    system,
    'host_item' as object_type,
    sale_number || '/' || sku as object_key,
    'order_line' as target_type,
    order_number || '/' || line_number as target_key,
    quantity,
    'item_of_order' as method,
    updated_at as recorded_at,
    raw_key
from sale_lines
where sku is not null
union all
select
    system,
    'package' as object_type,
    tracking_number as object_key,
    'host_item' as target_type,
    host_order || '/' || sku as target_key,
    quantity,
    'packing_list' as method,
    shipped_at as recorded_at,
    raw_key
from packed
