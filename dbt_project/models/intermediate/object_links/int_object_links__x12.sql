-- What EDI documents say belongs together: items of orders, lines of shipments, packages.
with purchase_lines as (
    select
        system,
        'po_item' as object_type,
        po_number || '|' || item as object_key,
        'order_line' as target_type,
        po_number || '/' || line_number as target_key,
        base_quantity as quantity,
        'same_item' as method,
        written_at as recorded_at,
        raw_key
    from {{ ref('stg_x12__purchase_order_lines') }}
    qualify row_number() over (partition by system, record_id order by version_number desc) = 1
),

warehouse_lines as (
    select
        system,
        'host_item' as object_type,
        host_order || '|' || item as object_key,
        'host_line' as target_type,
        host_order || '/' || line_number as target_key,
        base_quantity as quantity,
        'same_item' as method,
        written_at as recorded_at,
        raw_key
    from {{ ref('stg_x12__warehouse_order_lines') }}
    qualify row_number() over (partition by system, record_id order by version_number desc) = 1
),

notice_lines as (
    select *
    from {{ ref('stg_x12__shipment_notice_lines') }}
    where direction = 'inbound' and canonical_status is distinct from 'cancelled'
    qualify row_number() over (partition by system, record_id order by version_number desc) = 1
),

shipped_lines as (
    select
        system,
        'shipment_line' as object_type,
        shipment_number || '/' || line_id as object_key,
        'order_line' as target_type,
        po_number || '/' || line_number as target_key,
        base_quantity as quantity,
        'declared_reference' as method,
        written_at as recorded_at,
        raw_key
    from notice_lines
    where line_number is not null and po_number is not null
),

-- A supplier's parcel carries a purchase order line, and the customer's line that this is bought
-- for, if it is.
supplier_packages as (
    select
        system,
        'package' as object_type,
        tracking_number as object_key,
        unnest(['order_line', 'purchase_line']) as target_type,
        po_number || '/' || line_number as target_key,
        base_quantity as quantity,
        'packing_list' as method,
        written_at as recorded_at,
        raw_key
    from notice_lines
    where
        tracking_number is not null
        and line_number is not null
        and po_number is not null
        and coalesce(quantity <> 0, true)
),

warehouse_packages as (
    select
        system,
        'package' as object_type,
        tracking_number as object_key,
        'host_line' as target_type,
        host_order || '/' || host_line as target_key,
        base_quantity as quantity,
        'packing_list' as method,
        written_at as recorded_at,
        raw_key
    from {{ ref('stg_x12__shipment_lines') }}
    where tracking_number is not null and host_line is not null
    qualify
        row_number() over (partition by system, record_id order by version_number desc) = 1
        and quantity > 0
)

select * from purchase_lines
union all
select * from warehouse_lines
union all
select * from shipped_lines
union all
select * from supplier_packages
union all
select * from warehouse_packages
