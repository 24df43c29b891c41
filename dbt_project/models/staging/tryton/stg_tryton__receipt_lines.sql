-- Supplier shipments that the warehouse received, one row a version of a line.
with landed as (
    {{ versions('tryton', 'receipt_lines') }}
)

select
    landed.shipment_number,
    landed.move_id as line_number,
    landed.reference as po_number,
    landed.supplier_code as party_code,
    landed.warehouse,
    warehouses.location_id,
    landed.state as status,
    states.canonical_value as canonical_status,
    {{ mapping_method('landed.state', 'states.canonical_value') }} as status_mapping_method,
    landed.product_code as sku,
    landed.quantity,
    {{ instant('landed.received_at', 'received') }},
    {{ instant('landed.cancelled_at', 'cancelled') }},
    {{ instant('greatest(landed.modified_at, landed.line_modified_at)', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as states
    on
        states.connector = 'tryton'
        and states.entity = 'receipt_lines'
        and states.field = 'state'
        and landed.state = states.source_value
left join {{ ref('location_map') }} as warehouses
    on warehouses.connector = 'tryton' and landed.warehouse = warehouses.source_location
