-- Items as SAP knows them, newest version: the material number is the item number. Pack sizes lie
-- in a service that the connector does not read.
select
    system,
    item_no as item_id,
    item_no as source_item,
    cast(null as varchar) as description,
    base_uom,
    cast(null as varchar) as pack_uom,
    cast(null as bigint) as pack_numerator,
    cast(null as bigint) as pack_denominator,
    cast(null as decimal(18, 6)) as list_price,
    cast(null as varchar) as currency,
    updated_at as recorded_at,
    raw_key
from {{ ref('stg_sap_odata__products') }}
qualify row_number() over (partition by system, record_id order by version_number desc) = 1
