-- Where systems disagree: open and closed exceptions, and duties still pending. Duties met in time
-- are no exceptions; they stay in reconciliation.
select
    exceptions.obligation_id as exception_id,
    exceptions.rule_id,
    exceptions.family,
    rules.title,
    exceptions.object_type,
    exceptions.object_id,
    exceptions.order_id,
    exceptions.order_line_id,
    exceptions.document,
    exceptions.field,
    exceptions.a_system as system,
    coalesce(exceptions.b_system, counterparts.system) as counterpart_system,
    exceptions.status,
    exceptions.due_at,
    exceptions.opened_at,
    exceptions.closed_at,
    exceptions.frontier_at,
    rules.severity,
    rules.owner,
    exceptions.item_id,
    exceptions.location_id,
    exceptions.quantity,
    exceptions.value_at_risk,
    exceptions.currency,
    exceptions.a_record_id,
    exceptions.expected_value,
    exceptions.observed_value,
    exceptions.held_reason,
    exceptions.end_reason,
    exceptions.first_seen_at,
    exceptions.raw_key
from {{ ref('judged_exceptions') }} as exceptions
inner join {{ ref('rules') }} as rules
    on exceptions.rule_id = rules.rule_id
left join {{ ref('rule_counterparts') }} as counterparts
    on
        exceptions.rule_id = counterparts.rule_id
        and exceptions.a_system = counterparts.a_system
where exceptions.status <> 'none'
