-- When a good version was last seen of records that were quarantined, or missed by a sweep.
select
    system,
    entity,
    record_id,
    max(seen_at) as last_seen_at
from {{ ref('int_doubted_sightings') }}
group by system, entity, record_id
