-- Records that a sweep of the source's keys did not find. One miss is no proof: see
-- int_deleted_records. A crash may land a row twice.
select distinct
    system,
    entity,
    record_id,
    extraction_id
from {{ source('landing', 'missing_records') }}
