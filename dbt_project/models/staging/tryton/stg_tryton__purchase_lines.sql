-- Purchase lines as Tryton holds them, one row a version. Quantities in base units.
with landed as (
    {{ versions('tryton', 'purchase_lines') }}
)

select
    landed.purchase_number,
    landed.sequence as line_number,
    landed.reference,
    landed.party_code,
    landed.currency,
    landed.warehouse,
    warehouses.location_id,
    landed.state as status,
    states.canonical_value as canonical_status,
    {{ mapping_method('landed.state', 'states.canonical_value') }} as status_mapping_method,
    landed.product_code as sku,
    {{ exact_product('landed.quantity', 'landed.unit_factor') }} as quantity,
    case when landed.unit_factor = 1 then landed.unit_price end as unit_price,
    {{ instant('landed.confirmed_at', 'confirmed') }},
    {{ instant('landed.cancelled_at', 'cancelled') }},
    {{ instant('greatest(landed.modified_at, landed.line_modified_at)', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as states
    on
        states.connector = 'tryton'
        and states.entity = 'purchase_lines'
        and states.field = 'state'
        and landed.state = states.source_value
left join {{ ref('location_map') }} as warehouses
    on warehouses.connector = 'tryton' and landed.warehouse = warehouses.source_location
