-- The incident of each exception: what shares a cause is one piece of work, however many objects
-- it shows on. A symptom goes with what it follows from; what is left goes by the first cause of
-- the seed that explains nearly all that it could have hit, and else by its own order or object.
with recursive exceptions as (
    select
        exceptions.exception_id,
        exceptions.rule_id,
        exceptions.family,
        exceptions.system,
        exceptions.counterpart_system,
        exceptions.object_id,
        exceptions.order_id,
        exceptions.document,
        exceptions.item_id,
        exceptions.location_id,
        exceptions.item_id || '@' || exceptions.location_id as position_id,
        coalesce(exceptions.order_id, position_id, exceptions.object_id) as subject,
        try_cast(exceptions.expected_value as decimal(18, 6)) as expected_value,
        try_cast(exceptions.observed_value as decimal(18, 6)) as observed_value,
        exceptions.due_at,
        exceptions.due_at - to_minutes(coalesce(rules.grace_minutes, 0)) as begun_at,
        exceptions.opened_at,
        coalesce(exceptions.closed_at, 'infinity') as closed_at
    from {{ ref('exceptions') }} as exceptions
    left join {{ ref('rules_in_force') }} as rules
        on exceptions.rule_id = rules.rule_id
    where exceptions.status in ('open', 'closed')
),

-- What one correction must wait for is its cause, and so is what the seed names.
prerequisites as (
    select
        rule_id,
        unnest({{ list_of('depends_on') }}) as cause_rule_id,
        'subject' as shares,
        cast(null as integer) as within_minutes
    from {{ ref('rules') }}
    union all
    select
        rule_id,
        cause_rule_id,
        shares,
        within_minutes
    from {{ ref('incident_symptoms') }}
),

-- A balance has no order of its own: it follows from whatever moves the same position.
traces as (
    select
        exception_id,
        rule_id,
        begun_at,
        opened_at,
        closed_at,
        unnest(list_distinct([
            struct_pack(shares := 'subject', trace := order_id),
            struct_pack(shares := 'subject', trace := position_id),
            struct_pack(shares := 'subject', trace := object_id),
            struct_pack(shares := 'object', trace := object_id),
            struct_pack(shares := 'document', trace := document),
            struct_pack(shares := 'system', trace := system)
        ]), recursive := true)
    from exceptions
),

sought as (
    select
        symptoms.exception_id,
        symptoms.begun_at,
        symptoms.opened_at,
        symptoms.closed_at,
        prerequisites.cause_rule_id,
        prerequisites.shares,
        prerequisites.within_minutes,
        case prerequisites.shares
            when 'subject' then symptoms.subject
            when 'object' then symptoms.object_id
            when 'document' then symptoms.document
            when 'system' then symptoms.system
        end as trace
    from exceptions as symptoms
    inner join prerequisites
        on symptoms.rule_id = prerequisites.rule_id
),

follows as (
    select
        sought.exception_id,
        min(traces.exception_id) as cause_id
    from sought
    inner join traces
        on
            sought.cause_rule_id = traces.rule_id
            and sought.shares = traces.shares
            and sought.trace = traces.trace
            and sought.opened_at <= traces.closed_at
            and sought.closed_at >= traces.opened_at
            and (
                sought.within_minutes is null
                or abs(epoch(sought.begun_at) - epoch(traces.begun_at))
                <= 60 * sought.within_minutes
            )
    group by sought.exception_id, sought.cause_rule_id
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

-- By which factor one side is off, where each told the line once: a pack, a unit or a parts list
-- that is wrong in one system is wrong by the same factor each time. A double is no factor.
sides as (
    select
        originals.exception_id,
        sum(facts.quantity) filter (where facts.role = rules.a_role) as expected_value,
        sum(facts.quantity) filter (where facts.role = rules.b_role) as observed_value
    from originals
    inner join {{ ref('rules_in_force') }} as rules
        on
            originals.rule_id = rules.rule_id
            and rules.cover = 'quantity'
            and rules.a_role <> rules.b_role
    inner join {{ ref('facts') }} as facts
        on
            originals.object_id = facts.object_id
            and rules.object_type = facts.object_type
            and facts.reversed_to is null
            and (
                rules.a_role = facts.role
                and list_contains({{ list_of('rules.a_milestone') }}, facts.milestone)
                or rules.b_role = facts.role
                and list_contains({{ list_of('rules.b_milestone') }}, facts.milestone)
            )
    group by originals.exception_id
    having
        count_if(facts.role = rules.a_role) = 1 and count_if(facts.role = rules.b_role) = 1
),

measured as (
    select
        originals.*,
        {{ exact_ratio(
            'coalesce(sides.observed_value, originals.observed_value)',
            'coalesce(sides.expected_value, originals.expected_value)',
        ) }} as factor
    from originals
    left join sides
        on originals.exception_id = sides.exception_id
),

-- What falls due without a longer pause than that of the seed is one burst.
paused as (
    select
        measured.*,
        causes.cause,
        causes.rank,
        causes.groups_on,
        causes.minimum_orders,
        causes.minimum_share,
        measured.due_at - lag(measured.due_at) over (
            partition by
                causes.cause, measured.rule_id, measured.system, measured.counterpart_system
            order by measured.due_at, measured.exception_id
        ) > to_minutes(causes.gap_minutes) as starts_burst
    from measured
    cross join {{ ref('incident_causes') }} as causes
    where causes.groups_on is not null
),

candidates as (
    select
        *,
        case groups_on
            when 'item' then item_id
            when 'location' then location_id
            when 'factor' then item_id || ' x ' || factor
            when 'due'
                then cast(
                        count_if(coalesce(starts_burst, false)) over (
                            partition by cause, rule_id, system, counterpart_system
                            order by due_at, exception_id
                            rows between unbounded preceding and current row
                        ) as varchar
                    )
        end as shared
    from paused
),

shared_by_many as (
    select
        cause,
        rule_id,
        system,
        counterpart_system,
        shared,
        any_value(groups_on) as groups_on,
        any_value(item_id) as item_id,
        any_value(location_id) as location_id,
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

looked_at as (
    select
        rule_id,
        object_type,
        a_role,
        nullif({{ list_of('a_milestone') }}, []) as a_milestones,
        to_minutes(grace_minutes) as grace
    from {{ ref('rules_in_force') }}
    where rule_id in (select rule_id from shared_by_many)
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
        facts.recorded_to + rules.grace as due_at
    from {{ ref('facts') }} as facts
    inner join looked_at as rules
        on
            facts.role = rules.a_role
            and (
                rules.a_milestones is null
                or list_contains(rules.a_milestones, facts.milestone)
            )
            -- A scan is told of the parcel and of each order in it: it counts once.
            and (rules.object_type = 'package' or facts.object_type is distinct from 'package')
    left join {{ ref('order_line_terms') }} as terms
        on facts.order_line_id = terms.order_line_id
),

-- Ten of a thousand are ten mishaps; ten of ten have one cause.
shared_by_nearly_all as (
    select
        shared_by_many.cause,
        shared_by_many.rule_id,
        shared_by_many.system,
        shared_by_many.counterpart_system,
        shared_by_many.shared,
        any_value(shared_by_many.groups_on) as groups_on,
        any_value(shared_by_many.rank) as rank,
        any_value(shared_by_many.first_due_at) as first_due_at
    from shared_by_many
    inner join told
        on
            shared_by_many.rule_id = told.rule_id
            and shared_by_many.system = told.system
            and told.due_at between shared_by_many.first_due_at and shared_by_many.last_due_at
            and case shared_by_many.groups_on
                when 'item' then shared_by_many.item_id = told.item_id
                when 'factor' then shared_by_many.item_id = told.item_id
                when 'location' then shared_by_many.location_id = told.location_id
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
        case groups_on
            when 'due'
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
