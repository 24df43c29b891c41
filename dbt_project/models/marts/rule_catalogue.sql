-- The rules, whether they apply to what is configured, and what time their duties really take.
with wanted as (
    select
        rule_id,
        unnest(list_distinct([a_role, coalesce(b_role, a_role)])) as role
    from {{ ref('rules') }}
    where family <> 'feed'
),

missing as (
    select
        wanted.rule_id,
        string_agg(wanted.role, '|' order by wanted.role) as missing_roles
    from wanted
    anti join {{ ref('dim_systems') }} as systems
        on wanted.role = systems.role
    group by wanted.rule_id
),

routed as (
    select
        routes.rule_id,
        string_agg(distinct routes.a_system, '|' order by routes.a_system) as systems
    from {{ ref('rule_routes') }} as routes
    group by routes.rule_id
),

judged as (
    select
        rule_id,
        min(frontier_at) as frontier_at,
        arg_min(slowest_feed, frontier_at) as slowest_feed
    from {{ ref('frontiers') }}
    group by rule_id
),

-- From the start of the duty to when it was met: the ground on which to propose another grace.
met as (
    select
        obligations.rule_id,
        count(*) as met_count,
        quantile_cont(
            {{ seconds_between('obligations.due_at', 'obligations.end_to') }} / 60
            + rules.grace_minutes, 0.99
        ) as met_after_p99_minutes
    from {{ ref('obligations') }} as obligations
    inner join {{ ref('rules_in_force') }} as rules
        on obligations.rule_id = rules.rule_id
    where obligations.end_reason = 'covered'
    group by obligations.rule_id
),

found as (
    select
        rule_id,
        count(*) filter (where status = 'open') as open_count,
        count(*) filter (where status = 'pending') as pending_count,
        count(*) filter (where status = 'closed') as closed_count
    from {{ ref('exceptions') }}
    group by rule_id
)

select
    rules.rule_id,
    rules.family,
    rules.title,
    rules.object_type,
    rules.a_role,
    rules.a_milestone,
    rules.b_role,
    rules.b_milestone,
    rules.grace_minutes,
    rules.evidence,
    rules.depends_on,
    rules.decided_by,
    rules.severity,
    rules.owner,
    rules.correction_kind,
    rules.target_role,
    routed.systems is not null as is_configured,
    routed.systems,
    missing.missing_roles,
    judged.frontier_at,
    judged.slowest_feed,
    coalesce(met.met_count, 0) as met_count,
    met.met_after_p99_minutes,
    coalesce(found.open_count, 0) as open_count,
    coalesce(found.pending_count, 0) as pending_count,
    coalesce(found.closed_count, 0) as closed_count
from {{ ref('rules_in_force') }} as rules
left join missing
    on rules.rule_id = missing.rule_id
left join routed
    on rules.rule_id = routed.rule_id
left join judged
    on rules.rule_id = judged.rule_id
left join met
    on rules.rule_id = met.rule_id
left join found
    on rules.rule_id = found.rule_id
