-- Items as the demo OMS knows them, newest version.
select
    system,
    gtin as item_id,
    sku as source_item,
    title as description,
    uom as base_uom,
    cast(null as varchar) as pack_uom,
    cast(null as bigint) as pack_numerator,
    cast(null as bigint) as pack_denominator,
    list_price,
    currency,
    updated_at as recorded_at,
    raw_key
from {{ ref('stg_demo_oms__products') }}
qualify row_number() over (partition by system, record_id order by version_number desc) = 1
