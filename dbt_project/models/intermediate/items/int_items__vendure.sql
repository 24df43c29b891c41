-- Items as Vendure knows them, newest version; the sku is the item id shared by all systems.
select
    system,
    sku as item_id,
    sku as source_item,
    title as description,
    'EA' as base_uom,
    cast(null as varchar) as pack_uom,
    cast(null as bigint) as pack_numerator,
    cast(null as bigint) as pack_denominator,
    list_price,
    currency,
    updated_at as recorded_at,
    raw_key
from {{ ref('stg_vendure__product_variants') }}
-- Two variants may hold one sku, because Vendure does not keep it unique: the later one sells.
qualify
    row_number() over (
        partition by system, sku order by seen_at desc, updated_at desc, record_id desc
    ) = 1
