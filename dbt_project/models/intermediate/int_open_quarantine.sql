-- Refused rows that are still waited for: nothing has settled them.
select
    system,
    entity,
    record_id,
    reference,
    reason_code,
    quarantined_at
from {{ ref('int_refused_records') }}
where settled_at is null
