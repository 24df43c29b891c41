-- The warehouse's item master, one row a version.
with landed as (
    {{ versions('demo_wms', 'items', position=['version', 'seq']) }}
)

select
    sku,
    gtin,
    description,
    case_pack,
    weight_grams,
    version as record_version,
    {{ epoch_ms_instant('updated_ms', 'updated') }},
    {{ provenance() }}
from landed
