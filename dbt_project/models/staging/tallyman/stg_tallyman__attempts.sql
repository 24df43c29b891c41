-- What was done for corrections: each request, look and dry run, with what came of it.
with landed as (
    {{ versions('tallyman', 'attempts') }}
)

select
    attempt_id,
    correction_key,
    attempt as attempt_number,
    phase,
    result,
    code,
    message,
    started_at,
    ended_at,
    {{ provenance() }}
from landed
