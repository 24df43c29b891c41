-- What people decided about corrections.
with landed as (
    {{ versions('tallyman', 'decisions') }}
)

select
    decision_id,
    correction_key,
    actor,
    decision,
    comment,
    decided_at,
    {{ provenance() }}
from landed
