-- The incident of each exception: what shares a cause is one piece of work, however many objects
-- it shows on. A symptom goes with what it follows from; what is left goes by the first cause of
-- the seed that explains nearly all that it could have hit, and else by its own order or object.
with recursive exceptions as (
    select
        exception_id,
        rule_id,
        family,
        system,
        counterpart_system,
        object_id,
        order_id,
        item_id,
        location_id,
        item_id || '@' || location_id as position_id,
        coalesce(order_id, position_id, object_id) as subject,
        due_at,
        opened_at,
        coalesce(closed_at, 'infinity') as closed_at
    from {{ ref('exceptions') }}
    where status in ('open', 'closed')
),

prerequisites as (
    select
        rule_id,
        unnest({{ list_of('depends_on') }}) as prerequisite_id
    from {{ ref('rules') }}
),

-- A balance has no order of its own: it follows from whatever moves the same position.
subjects as (
    select
        exception_id,
        rule_id,
        opened_at,
        closed_at,
        unnest(list_distinct([order_id, position_id, object_id])) as subject
    from exceptions
),

follows as (
    select
        symptoms.exception_id,
        min(causes.exception_id) as cause_id
    from exceptions as symptoms
    inner join prerequisites
        on symptoms.rule_id = prerequisites.rule_id
    inner join subjects as causes
        on
            prerequisites.prerequisite_id = causes.rule_id
            and symptoms.subject = causes.subject
            and symptoms.opened_at <= causes.closed_at
            and symptoms.closed_at >= causes.opened_at
    group by symptoms.exception_id, causes.rule_id
),

-- Eight steps are more than any chain of rules has; a circle in the rows must not go on for ever.
walks as (
    select
        exception_id,
        exception_id as root_id,
        0 as steps
    from exceptions
    union all
    select
        walks.exception_id,
        follows.cause_id as root_id,
        walks.steps + 1 as steps
    from walks
    inner join follows
        on walks.root_id = follows.exception_id
    where walks.steps < 8
),

roots as (
    select
        exception_id,
        arg_max(root_id, (steps, root_id)) as root_id
    from walks
    group by exception_id
),

originals as (
    select exceptions.*
    from exceptions
    inner join roots
        on exceptions.exception_id = roots.root_id and roots.exception_id = roots.root_id
    where exceptions.family <> 'feed'
),

-- What falls due without a longer pause than that of the seed is one burst.
bursts as (
    select
        originals.*,
        count_if(coalesce(starts_burst, false)) over (
            partition by rule_id, system, counterpart_system
            order by due_at, exception_id
            rows between unbounded preceding and current row
        ) as burst
    from (
        select
            exceptions.*,
            exceptions.due_at - lag(exceptions.due_at) over (
                partition by
                    exceptions.rule_id, exceptions.system, exceptions.counterpart_system
                order by exceptions.due_at, exceptions.exception_id
            ) > to_minutes(causes.gap_minutes) as starts_burst
        from originals as exceptions
        cross join {{ ref('incident_causes') }} as causes
        where causes.groups_on = 'due'
    ) as originals
),

candidates as (
    select
        bursts.*,
        causes.cause,
        causes.rank,
        causes.minimum_orders,
        causes.minimum_share,
        case causes.groups_on
            when 'item' then bursts.item_id
            when 'location' then bursts.location_id
            when 'due' then cast(bursts.burst as varchar)
        end as shared
    from bursts
    cross join {{ ref('incident_causes') }} as causes
    where causes.groups_on is not null
),

shared_by_many as (
    select
        cause,
        rule_id,
        system,
        counterpart_system,
        shared,
        any_value(rank) as rank,
        any_value(minimum_share) as minimum_share,
        count(distinct subject) as subject_count,
        min(due_at) as first_due_at,
        max(due_at) as last_due_at
    from candidates
    where shared is not null
    group by cause, rule_id, system, counterpart_system, shared
    having subject_count >= any_value(minimum_orders)
),

-- All that the rule looks at, by the order or the position that it belongs to.
told as (
    select
        rules.rule_id,
        facts.system,
        -- A posting often names the order line only.
        coalesce(facts.item_id, terms.item_id) as item_id,
        facts.location_id,
        coalesce(facts.order_id, facts.item_id || '@' || facts.location_id, facts.object_id)
            as subject,
        facts.recorded_to + to_minutes(rules.grace_minutes) as due_at
    from {{ ref('facts') }} as facts
    inner join {{ ref('rules_in_force') }} as rules
        on
            facts.role = rules.a_role
            and (
                rules.a_milestone is null
                or list_contains({{ list_of('rules.a_milestone') }}, facts.milestone)
            )
    left join {{ ref('order_line_terms') }} as terms
        on facts.order_line_id = terms.order_line_id
    where rules.rule_id in (select rule_id from shared_by_many)
),

-- Ten of a thousand are ten mishaps; ten of ten have one cause.
shared_by_nearly_all as (
    select
        shared_by_many.cause,
        shared_by_many.rule_id,
        shared_by_many.system,
        shared_by_many.counterpart_system,
        shared_by_many.shared,
        any_value(shared_by_many.rank) as rank,
        any_value(shared_by_many.first_due_at) as first_due_at
    from shared_by_many
    inner join told
        on
            shared_by_many.rule_id = told.rule_id
            and shared_by_many.system = told.system
            and told.due_at between shared_by_many.first_due_at and shared_by_many.last_due_at
            and case shared_by_many.cause
                when 'same_item' then shared_by_many.shared = told.item_id
                when 'same_location' then shared_by_many.shared = told.location_id
                else true
            end
    group by
        shared_by_many.cause, shared_by_many.rule_id, shared_by_many.system,
        shared_by_many.counterpart_system, shared_by_many.shared
    having
        any_value(shared_by_many.subject_count)
        >= any_value(shared_by_many.minimum_share) * count(distinct told.subject)
),

-- A burst is named by the moment at which it began to fall due.
causes as (
    select
        *,
        case cause
            when 'batch'
                then strftime(first_due_at at time zone 'UTC', '%Y-%m-%dT%H:%MZ')
            else shared
        end as named
    from shared_by_nearly_all
),

explained as (
    select
        candidates.exception_id,
        arg_min(causes.cause, causes.rank) as cause,
        arg_min(causes.named, causes.rank) as shared
    from candidates
    inner join causes
        on
            candidates.cause = causes.cause
            and candidates.rule_id = causes.rule_id
            and candidates.system = causes.system
            and candidates.counterpart_system is not distinct from causes.counterpart_system
            and candidates.shared = causes.shared
    group by candidates.exception_id
),

caused as (
    select
        roots.exception_id,
        originals.rule_id as root_rule_id,
        originals.system,
        case
            when originals.family = 'feed' then 'feed'
            else coalesce(explained.cause, 'order')
        end as cause,
        case
            when originals.family = 'feed' then originals.object_id
            else coalesce(explained.shared, originals.subject)
        end as shared,
        roots.exception_id <> roots.root_id as is_symptom
    from roots
    inner join exceptions as originals
        on roots.root_id = originals.exception_id
    left join explained
        on roots.root_id = explained.exception_id
)

select
    exception_id,
    {{ identity(['cause', 'root_rule_id', 'system', 'shared']) }} as incident_id,
    cause,
    root_rule_id,
    shared,
    is_symptom
from caused
