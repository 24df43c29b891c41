-- Balances that Tryton showed: stock on hand, in the ERP and in the WMS alike.
select
    system,
    'stock' as entity,
    record_id,
    sku as item_id,
    location_id,
    sku as source_item,
    warehouse as source_location,
    'on_hand' as state,
    on_hand_quantity as quantity,
    balance_at as as_of,
    balance_from as as_of_from,
    balance_to as as_of_to,
    extraction_id,
    seen_at,
    raw_key
from {{ ref('stg_tryton__stock') }}
