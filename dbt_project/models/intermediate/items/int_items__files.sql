-- Items as purchase order lines from files name them, one row an item, newest line.
select
    system,
    item as item_id,
    item as source_item,
    item as description,
    'EA' as base_uom,
    case when pack_quantity is not null then 'PACK' end as pack_uom,
    pack_quantity as pack_numerator,
    case when pack_quantity is not null then cast(1 as bigint) end as pack_denominator,
    cast(null as decimal(18, 6)) as list_price,
    currency,
    coalesce(recorded_to, seen_at) as recorded_at,
    raw_key
from {{ ref('stg_files__purchase_order_lines') }}
qualify
    row_number() over (
        partition by system, item
        order by seen_at desc, coalesce(recorded_to, seen_at) desc, record_id
    ) = 1
