-- Vendure's ledger of stock, one row a movement; it tells no stock location.
with landed as (
    {{ versions('vendure', 'stock_movements') }}
)

select
    movement_id as movement_record,
    sku,
    movement_type,
    quantity,
    {{ instant('created_at', 'created') }},
    {{ provenance() }}
from landed
