-- The configured system instances, one row each.
select
    system,
    role,
    connector,
    region,
    legal_entity,
    time_zone,
    cast(settle_seconds as decimal(18, 6)) as settle_seconds,
    write_mode,
    nullif(locations, '') as locations,
    nullif(has_no, '') as has_no
from {{ source('config', 'systems') }}
