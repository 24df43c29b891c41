-- The feeds that could show what a rule waits for, for each instance of A.
with wanted as (
    select
        rule_id,
        unnest({{ list_of('evidence') }}) as evidence
    from {{ ref('rules') }}
    where family <> 'feed'
),

routed as (
    select
        routes.rule_id,
        routes.a_system,
        routes.role,
        routes.system,
        split_part(wanted.evidence, '.', 2) as feed
    from wanted
    inner join {{ ref('rule_routes') }} as routes
        on
            wanted.rule_id = routes.rule_id
            and split_part(wanted.evidence, '.', 1) = routes.role
)

select distinct
    routed.rule_id,
    routed.a_system,
    routed.role,
    routed.system,
    -- What no entity carries was never read: the rule must wait for it, not do without it.
    coalesce(entities.entity, routed.feed) as entity
from routed
left join {{ ref('int_feed_entities') }} as entities
    on routed.system = entities.system and routed.feed = entities.feed
