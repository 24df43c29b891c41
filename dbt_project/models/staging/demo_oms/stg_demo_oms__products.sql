-- Products as the order management system lists them, one row a version.
with landed as (
    {{ versions('demo_oms', 'products') }}
)

select
    sku,
    gtin,
    title,
    uom,
    list_price,
    currency,
    version as record_version,
    {{ instant('updated_at', 'updated') }},
    {{ provenance() }}
from landed
