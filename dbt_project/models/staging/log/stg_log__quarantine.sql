-- Rows that broke their contract: kept whole, counted, and never taken for absence.
select
    system,
    entity,
    record_id,
    reference,
    extraction_id,
    quarantined_at,
    reason_code,
    field as field_name,
    reason,
    container,
    sequence,
    concat_ws('|', system, record_id, content_hash, extraction_id) as raw_key
from {{ source('landing', 'quarantine') }}
qualify row_number() over (
        partition by system, entity, record_id, content_hash, extraction_id, field
        order by quarantined_at
    ) = 1
