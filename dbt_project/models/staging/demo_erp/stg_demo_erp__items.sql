-- The ERP's item master, one row a version.
with landed as (
    {{ versions('demo_erp', 'items') }}
)

select
    item_no,
    gtin,
    descr as description,
    base_um as base_uom,
    case_qty as case_quantity,
    list_prc as list_price,
    curr as currency,
    row_version as record_version,
    {{ local_instant('modified', 'updated') }},
    {{ provenance() }}
from landed
