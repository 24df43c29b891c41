-- Items as the demo ERP knows them, newest version.
select
    system,
    gtin as item_id,
    item_no as source_item,
    description,
    base_uom,
    'CS' as pack_uom,
    case_quantity as pack_numerator,
    cast(1 as bigint) as pack_denominator,
    list_price,
    currency,
    updated_at as recorded_at,
    raw_key
from {{ ref('stg_demo_erp__items') }}
qualify row_number() over (partition by system, record_id order by version_number desc) = 1
