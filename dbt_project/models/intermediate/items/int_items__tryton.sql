-- Items as Tryton knows them, newest version; services are none.
with newest as (
    select *
    from {{ ref('stg_tryton__products') }}
    qualify
        row_number() over (partition by system, record_id order by version_number desc) = 1
)

select
    system,
    sku as item_id,
    sku as source_item,
    description,
    'EA' as base_uom,
    cast(null as varchar) as pack_uom,
    cast(null as bigint) as pack_numerator,
    cast(null as bigint) as pack_denominator,
    list_price,
    currency,
    updated_at as recorded_at,
    raw_key
from newest
where item_type = 'goods' and sku is not null
