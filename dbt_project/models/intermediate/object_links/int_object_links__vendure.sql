-- What belongs together by Vendure's word: fulfilment lines to order lines, and the package with
-- the tracking number of a fulfilment to its lines.
with fulfilments as (
    select
        *,
        order_number || '/' || fulfilment_record || '/' || line_record as fulfilment_line_key
    from {{ ref('stg_vendure__fulfilment_lines') }}
    qualify row_number() over (partition by system, record_id order by version_number desc) = 1
)

select
    system,
    'fulfilment_line' as object_type,
    fulfilment_line_key as object_key,
    'order_line' as target_type,
    order_number || '/' || line_number as target_key,
    quantity,
    'declared_reference' as method,
    updated_at as recorded_at,
    raw_key
from fulfilments
where line_number is not null
union all by name
select
    system,
    'package' as object_type,
    tracking_number as object_key,
    'fulfilment_line' as target_type,
    fulfilment_line_key as target_key,
    quantity,
    'packing_list' as method,
    shipped_at as recorded_at,
    raw_key
from fulfilments
where
    tracking_number <> ''
    and canonical_state in ('shipped', 'delivered')
    and quantity > 0
