-- Customer shipments that the ERP completed, one row a version of a line.
with landed as (
    {{ versions('tryton', 'fulfilment_lines') }}
)

select
    landed.shipment_number as fulfilment_number,
    landed.reference as shipment_number,
    landed.sale_number,
    landed.sequence as line_number,
    landed.warehouse,
    warehouses.location_id,
    landed.status,
    states.canonical_value as canonical_status,
    {{ mapping_method('landed.status', 'states.canonical_value') }} as status_mapping_method,
    landed.product_code as sku,
    landed.quantity,
    {{ instant('landed.done_at', 'posted') }},
    {{ instant('landed.returned_at', 'reversed') }},
    {{ instant(
        'greatest(landed.modified_at, landed.line_modified_at, landed.returned_at)', 'updated'
    ) }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as states
    on
        states.connector = 'tryton'
        and states.entity = 'fulfilment_lines'
        and states.field = 'status'
        and landed.status = states.source_value
left join {{ ref('location_map') }} as warehouses
    on warehouses.connector = 'tryton' and landed.warehouse = warehouses.source_location
