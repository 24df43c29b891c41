-- Sale lines as Tryton holds them, one row a version. Quantities in base units.
with landed as (
    {{ versions('tryton', 'sale_lines') }}
)

select
    landed.sale_number,
    landed.sequence as line_number,
    landed.reference as order_number,
    landed.party_code,
    landed.currency,
    landed.warehouse,
    warehouses.location_id,
    landed.state as order_status,
    landed.line_state as line_status,
    line_states.canonical_value as canonical_line_status,
    {{ mapping_method('landed.line_state', 'line_states.canonical_value') }}
        as line_status_mapping_method,
    landed.product_code as sku,
    {{ exact_product('landed.quantity', 'landed.unit_factor') }} as quantity,
    case when landed.unit_factor = 1 then landed.unit_price end as unit_price,
    landed.unit as uom,
    landed.description as origin,
    {{ instant('landed.quoted_at', 'quoted') }},
    {{ instant('landed.confirmed_at', 'confirmed') }},
    {{ instant('landed.processing_at', 'released') }},
    {{ instant('landed.cancelled_at', 'cancelled') }},
    {{ instant('greatest(landed.modified_at, landed.line_modified_at)', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as line_states
    on
        line_states.connector = 'tryton'
        and line_states.entity = 'sale_lines'
        and line_states.field = 'line_state'
        and landed.line_state = line_states.source_value
left join {{ ref('location_map') }} as warehouses
    on warehouses.connector = 'tryton' and landed.warehouse = warehouses.source_location
