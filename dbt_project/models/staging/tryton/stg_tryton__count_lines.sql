-- Stock counts of Tryton, one row a version of a line. What a count changed is told by the ledger.
with landed as (
    {{ versions('tryton', 'count_lines') }}
)

select
    landed.count_number,
    landed.line_id as line_number,
    landed.date as count_date,
    landed.warehouse,
    warehouses.location_id,
    landed.state as status,
    landed.product_code as sku,
    landed.expected_quantity,
    landed.quantity as counted_quantity,
    {{ instant('landed.done_at', 'posted') }},
    {{ instant('greatest(landed.modified_at, landed.line_modified_at)', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('location_map') }} as warehouses
    on warehouses.connector = 'tryton' and landed.warehouse = warehouses.source_location
