-- What we set out to correct, where each correction stands, what was tried, and who decided.
with decided as (
    select
        correction_key,
        count(*) as decision_count,
        arg_max(decision, decided_at) as last_decision,
        arg_max(actor, decided_at) as last_decided_by,
        arg_max(comment, decided_at) as last_comment,
        max(decided_at) as last_decided_at
    from {{ ref('stg_tallyman__decisions') }}
    group by correction_key
),

attempted as (
    select
        correction_key,
        count(*) filter (where phase = 'send') as request_count,
        arg_max(phase, attempt_id) as last_attempt_phase,
        arg_max(code, attempt_id) as last_attempt_code,
        max(ended_at) as last_attempt_at
    from {{ ref('stg_tallyman__attempts') }}
    group by correction_key
)

select
    corrections.correction_key,
    corrections.proposal_key,
    corrections.rule_id,
    rules.title,
    corrections.object_id,
    corrections.target_system,
    corrections.kind,
    corrections.state,
    corrections.state_reason,
    corrections.old_value,
    corrections.new_value,
    corrections.payload,
    corrections.value_at_risk,
    corrections.currency,
    corrections.created_at,
    corrections.accepted_at,
    corrections.verified_at,
    corrections.updated_at,
    {{ seconds_between('corrections.created_at', 'corrections.accepted_at') }}
        as seconds_to_accept,
    {{ seconds_between('corrections.accepted_at', 'corrections.verified_at') }}
        as seconds_to_verify,
    corrections.attempt_count,
    coalesce(attempted.request_count, 0) as request_count,
    attempted.last_attempt_phase,
    attempted.last_attempt_code,
    attempted.last_attempt_at,
    corrections.target_record_id,
    corrections.idempotency_key,
    coalesce(decided.decision_count, 0) as decision_count,
    decided.last_decision,
    decided.last_decided_by,
    decided.last_comment,
    decided.last_decided_at,
    corrections.raw_key
from {{ ref('stg_tallyman__corrections') }} as corrections
left join {{ ref('rules') }} as rules
    on corrections.rule_id = rules.rule_id
left join decided
    on corrections.correction_key = decided.correction_key
left join attempted
    on corrections.correction_key = attempted.correction_key
where corrections.is_latest
