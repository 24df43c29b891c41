-- Items as the demo WMS knows them, newest version.
select
    system,
    gtin as item_id,
    sku as source_item,
    description,
    'EA' as base_uom,
    'CS' as pack_uom,
    case_pack as pack_numerator,
    cast(1 as bigint) as pack_denominator,
    cast(null as decimal(18, 6)) as list_price,
    cast(null as varchar) as currency,
    updated_at as recorded_at,
    raw_key
from {{ ref('stg_demo_wms__items') }}
qualify row_number() over (partition by system, record_id order by version_number desc) = 1
