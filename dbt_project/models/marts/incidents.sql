-- Exceptions of one cause as one piece of work, with all that it hits.
with members as (
    select
        incidents.incident_id,
        incidents.cause,
        incidents.root_rule_id,
        incidents.shared,
        incidents.is_symptom,
        exceptions.*
    from {{ ref('exception_incidents') }} as incidents
    inner join {{ ref('exceptions') }} as exceptions
        on incidents.exception_id = exceptions.exception_id
),

-- Value at risk is of the object: S01 and F01 of one line put the same money at risk once.
values_at_risk as (
    select
        incident_id,
        list(
            struct_pack(currency := currency, amount := amount) order by currency
        ) as values_at_risk
    from (
        select
            incident_id,
            currency,
            try_cast(sum(amount) as decimal(18, 6)) as amount
        from (
            select
                incident_id,
                currency,
                max(value_at_risk) as amount
            from members
            where value_at_risk is not null
            group by incident_id, currency, coalesce(order_line_id, object_id)
        ) as objects
        group by incident_id, currency
    ) as amounts
    group by incident_id
),

build as (
    {{ newest_extraction() }}
),

-- What a source that is silent or can't be used leaves undecided: overdue, and not to be judged.
waiting_duties as (
    select distinct
        members.incident_id,
        duties.exception_id,
        duties.order_id,
        coalesce(duties.order_line_id, duties.object_id) as object_id,
        duties.value_at_risk,
        duties.currency
    from members
    inner join {{ ref('rule_evidence') }} as evidence
        on
            members.system = evidence.system
            and members.a_record_id in (evidence.entity, evidence.system)
    inner join {{ ref('exceptions') }} as duties
        on
            evidence.rule_id = duties.rule_id
            and evidence.a_system = duties.system
            and duties.status = 'pending'
    inner join build
        on duties.due_at <= build.measured_at
    where members.cause = 'feed' and members.status = 'open'
),

waiting as (
    select
        duties.incident_id,
        count(distinct duties.exception_id) as waiting_count,
        count(distinct duties.order_id) as waiting_order_count,
        count(distinct orders.party_id) as waiting_customer_count
    from waiting_duties as duties
    left join {{ ref('orders') }} as orders
        on duties.order_id = orders.order_id
    group by duties.incident_id
),

-- What hangs on that, each object once: nobody can say yet whether it is at risk.
waiting_objects as (
    select
        incident_id,
        currency,
        object_id,
        max(value_at_risk) as amount
    from waiting_duties
    where value_at_risk is not null
    group by incident_id, currency, object_id
),

waiting_amounts as (
    select
        incident_id,
        currency,
        try_cast(sum(amount) as decimal(18, 6)) as amount
    from waiting_objects
    group by incident_id, currency
),

waiting_values as (
    select
        incident_id,
        list(
            struct_pack(currency := currency, amount := amount) order by currency
        ) as waiting_values
    from waiting_amounts
    group by incident_id
),

rolled_up as (
    select
        members.incident_id,
        any_value(members.cause) as cause,
        any_value(members.root_rule_id) as rule_id,
        any_value(members.shared) as shared,
        arg_min(members.system, (members.is_symptom, members.opened_at, members.exception_id))
            as system,
        arg_min(
            members.counterpart_system,
            (members.is_symptom, members.opened_at, members.exception_id)
        ) as counterpart_system,
        case when count(*) filter (where members.status = 'open') > 0 then 'open' else 'closed' end
            as status,
        min(members.severity) as severity,
        arg_min(members.owner, (members.is_symptom, members.opened_at, members.exception_id))
            as owner,
        min(members.opened_at) as opened_at,
        case
            when count(*) = count(members.closed_at) then max(members.closed_at)
        end as closed_at,
        count(*) as exception_count,
        count(*) filter (where members.status = 'open') as open_exception_count,
        count(*) filter (where members.is_symptom) as symptom_count,
        count(distinct members.order_id) as order_count,
        count(distinct orders.party_id) as customer_count
    from members
    left join {{ ref('orders') }} as orders
        on members.order_id = orders.order_id
    group by members.incident_id
)

select
    rolled_up.incident_id,
    rolled_up.cause,
    causes.title as cause_title,
    rolled_up.rule_id,
    rules.title,
    rolled_up.shared,
    rolled_up.system,
    rolled_up.counterpart_system,
    rolled_up.status,
    rolled_up.severity,
    rolled_up.owner,
    rolled_up.opened_at,
    rolled_up.closed_at,
    rolled_up.exception_count,
    rolled_up.open_exception_count,
    rolled_up.symptom_count,
    rolled_up.order_count,
    rolled_up.customer_count,
    values_at_risk.values_at_risk,
    coalesce(waiting.waiting_count, 0) as waiting_count,
    coalesce(waiting.waiting_order_count, 0) as waiting_order_count,
    coalesce(waiting.waiting_customer_count, 0) as waiting_customer_count,
    waiting_values.waiting_values
from rolled_up
inner join {{ ref('incident_causes') }} as causes
    on rolled_up.cause = causes.cause
inner join {{ ref('rules') }} as rules
    on rolled_up.rule_id = rules.rule_id
left join values_at_risk
    on rolled_up.incident_id = values_at_risk.incident_id
left join waiting
    on rolled_up.incident_id = waiting.incident_id
left join waiting_values
    on rolled_up.incident_id = waiting_values.incident_id
