-- The warehouse's ledger of stock transactions, one row a transaction.
with landed as (
    {{ versions('demo_wms', 'transactions', position='seq') }}
)

select
    landed.tran_id as transaction_number,
    landed.sku,
    landed.whse as warehouse,
    warehouses.location_id,
    landed.tran_type as transaction_type,
    landed.qty as quantity,
    landed.reason,
    landed.ref as reference,
    {{ epoch_ms_instant('landed.tran_ms', 'posted') }},
    {{ provenance() }}
from landed
left join {{ ref('location_map') }} as warehouses
    on warehouses.connector = 'demo_wms' and landed.whse = warehouses.source_location
