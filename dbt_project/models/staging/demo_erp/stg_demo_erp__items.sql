-- The ERP's item master, one row a version.
with landed as (
    {{ versions('demo_erp', 'items') }}
)

select
    landed.item_no,
    landed.gtin,
    landed.descr as description,
    landed.base_um as base_uom,
    landed.case_qty as case_quantity,
    landed.wt_g as weight_grams,
    landed.sts as status,
    states.canonical_value as canonical_status,
    landed.list_prc as list_price,
    landed.curr as currency,
    landed.row_version as record_version,
    {{ local_instant('landed.modified', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as states
    on
        states.connector = 'demo_erp'
        and states.entity = 'items'
        and states.field = 'sts'
        and landed.sts = states.source_value
