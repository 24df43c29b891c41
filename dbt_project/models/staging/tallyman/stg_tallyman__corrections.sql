-- Our own corrections, loaded back as any other system's records: one row a version.
with landed as (
    {{ versions('tallyman', 'corrections') }}
)

select
    correction_key,
    proposal_key,
    rule_id,
    object_id,
    target_system,
    kind,
    state,
    old_value,
    new_value,
    payload,
    relied_on_systems,
    value_at_risk,
    currency,
    created_at,
    accepted_at,
    verified_at,
    updated_at,
    target_record_id,
    attempts as attempt_count,
    idempotency_key,
    state_reason,
    row_number() over (
        partition by correction_key order by version_number desc
    ) = 1 as is_latest,
    {{ provenance() }}
from landed
