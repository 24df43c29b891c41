-- Tryton's stock ledger, one row a side of a move that crossed the walls of a warehouse.
with landed as (
    {{ versions('tryton', 'stock_movements') }}
)

select
    landed.posting,
    landed.product_code as sku,
    landed.warehouse,
    warehouses.location_id,
    landed.movement_type,
    landed.quantity,
    landed.document,
    landed.reference,
    landed.document_model,
    landed.document_number,
    {{ instant('landed.done_at', 'posted') }},
    {{ provenance() }}
from landed
left join {{ ref('location_map') }} as warehouses
    on warehouses.connector = 'tryton' and landed.warehouse = warehouses.source_location
