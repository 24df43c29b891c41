-- Which instances a rule concerns: for each instance of A, those of every other role it looks at.
with active_rules as (
    select
        rules.*,
        {{ list_of('evidence') }} as evidence_feeds,
        {{ list_of('discharged_by') }} as discharges
    from {{ ref('rules') }} as rules
),

looked_at as (
    select
        rule_id,
        a_role,
        b_role,
        family,
        unnest(
            list_distinct(
                list_concat(
                    [a_role, coalesce(b_role, a_role)],
                    list_transform(evidence_feeds, lambda feed: split_part(feed, '.', 1)),
                    list_transform(discharges, lambda event: split_part(event, '.', 1))
                )
            )
        ) as role
    from active_rules
),

-- What a rule waits for, and which instances have an entity that carries some of it.
evidence as (
    select
        rule_id,
        unnest(evidence_feeds) as evidence
    from active_rules
    where family <> 'feed'
),

heard as (
    select distinct
        evidence.rule_id,
        entities.role,
        entities.system
    from evidence
    inner join {{ ref('int_feed_entities') }} as entities
        on evidence.evidence = entities.role || '.' || entities.feed
),

frontier as (
    select max(watermark_at) as known_until from {{ ref('feed_watermarks') }}
),

-- The rows that count now: a cutover is one route that ends and one that begins.
routes as (
    select
        coalesce(routing.rule_id, '*') as rule_id,
        routing.a_system,
        routing.role,
        routing.system
    from {{ ref('routing') }} as routing
    cross join frontier
    where
        coalesce(routing.valid_from <= frontier.known_until, true)
        and coalesce(routing.valid_to > frontier.known_until, true)
),

-- Where nobody does what a rule waits to hear of (a warehouse that takes no returns), its word is
-- not waited for.
idle as (
    select
        evidence.rule_id,
        systems.system
    from evidence
    inner join {{ ref('dim_systems') }} as systems
        on split_part(evidence.evidence, '.', 1) = systems.role
    where systems.has_no is not null
    group by evidence.rule_id, systems.system
    having bool_and(split_part(evidence.evidence, '.', 2) in {{ list_of('systems.has_no') }})
),

candidates as (
    select
        looked_at.rule_id,
        looked_at.a_role,
        looked_at.b_role,
        looked_at.role,
        a_systems.system as a_system,
        systems.system,
        -- Who can't tell anything of what the rule waits for raises no duty, and holds no value
        -- that could differ. To the duties of others it still counts: silence there proves nothing.
        (looked_at.role = looked_at.a_role or looked_at.family = 'agreement')
        and exists (
            select 1
            from evidence
            where
                evidence.rule_id = looked_at.rule_id
                and split_part(evidence.evidence, '.', 1) = looked_at.role
        )
        and not exists (
            select 1
            from heard
            where
                heard.rule_id = looked_at.rule_id
                and heard.role = looked_at.role
                and heard.system = systems.system
        ) as is_mute,
        -- A named route beats what region and legal entity suggest.
        exists(
            select 1
            from routes
            where
                routes.rule_id in ('*', looked_at.rule_id)
                and coalesce(routes.a_system, '*') in ('*', a_systems.system)
                and routes.role = looked_at.role
        ) as has_named_route,
        exists(
            select 1
            from routes
            where
                routes.rule_id in ('*', looked_at.rule_id)
                and coalesce(routes.a_system, '*') in ('*', a_systems.system)
                and routes.role = looked_at.role
                and routes.system = systems.system
        ) as is_named_route
    from looked_at
    inner join {{ ref('dim_systems') }} as a_systems
        -- A rule about feeds is about those of every role.
        on looked_at.a_role in ('*', a_systems.role)
    inner join {{ ref('dim_systems') }} as systems
        on
            looked_at.role in ('*', systems.role)
            -- An instance is its own and only counterpart within its role.
            and (looked_at.role <> looked_at.a_role or a_systems.system = systems.system)
            and (
                '*' in (a_systems.region, systems.region)
                or a_systems.region = systems.region
            )
            and (
                '*' in (a_systems.legal_entity, systems.legal_entity)
                or a_systems.legal_entity = systems.legal_entity
            )
)

select
    rule_id,
    a_system,
    role,
    system
from candidates
anti join idle
    on candidates.rule_id = idle.rule_id and candidates.system = idle.system
where candidates.has_named_route = candidates.is_named_route and not candidates.is_mute
-- A rule speaks only where every role that it compares has an instance, A's among them: another
-- one may be named to play it.
window same_a as (partition by rule_id, a_system)
qualify
    count_if(role = coalesce(b_role, a_role)) over same_a > 0
    and count_if(role = a_role) over same_a > 0
