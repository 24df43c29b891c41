-- Product variants as Vendure lists them, one row a version.
with landed as (
    {{ versions('vendure', 'product_variants') }}
)

select
    variant_id as item_record,
    sku,
    name as title,
    is_enabled,
    price as list_price,
    currency,
    {{ instant('updated_at', 'updated') }},
    {{ provenance() }}
from landed
