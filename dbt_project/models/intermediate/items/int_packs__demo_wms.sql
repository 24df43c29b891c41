-- Pack sizes that the demo WMS used, from when to when: a shipment counts by the pack of its day.
select
    system,
    sku,
    gtin,
    case_pack,
    case
        when version_number = 1 then timestamptz '1970-01-01 00:00:00+00'
        else updated_from
    end as valid_from,
    coalesce(
        lead(updated_from) over (partition by system, sku order by version_number),
        timestamptz '9999-12-31 00:00:00+00'
    ) as valid_to
from {{ ref('stg_demo_wms__items') }}
