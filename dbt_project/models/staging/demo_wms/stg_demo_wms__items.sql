-- The warehouse's item master, one row a version.
with landed as (
    {{ versions('demo_wms', 'items', position=['version', 'seq']) }}
)

select
    landed.sku,
    landed.gtin,
    landed.description,
    landed.case_pack,
    landed.weight_grams,
    landed.status,
    states.canonical_value as canonical_status,
    landed.version as record_version,
    {{ epoch_ms_instant('landed.updated_ms', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as states
    on
        states.connector = 'demo_wms'
        and states.entity = 'items'
        and states.field = 'status'
        and landed.status = states.source_value
