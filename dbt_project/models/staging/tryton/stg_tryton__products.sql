-- Tryton's items, one row a version.
with landed as (
    {{ versions('tryton', 'products') }}
)

select
    code as sku,
    name as description,
    item_type,
    base_unit as base_uom,
    list_price,
    cost_price,
    currency,
    active as is_active,
    {{ instant('greatest(modified_at, template_modified_at)', 'updated') }},
    {{ provenance() }}
from landed
