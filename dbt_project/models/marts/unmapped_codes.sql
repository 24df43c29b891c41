-- The work list of mappings: each code that a system uses and no seed knows, most frequent first.
select
    connector,
    system,
    entity,
    field_name as field,
    source_value,
    record_count,
    first_seen_at,
    last_seen_at,
    sample_record_id
from {{ ref('int_unmapped_codes') }}
order by
    record_count desc, connector asc, system asc, entity asc, field_name asc, source_value asc
