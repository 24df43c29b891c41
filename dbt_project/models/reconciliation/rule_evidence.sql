-- The feeds that could show what a rule waits for, for each instance of A.
with wanted as (
    select
        rule_id,
        unnest({{ list_of('evidence') }}) as feed
    from {{ ref('rules') }}
)

select
    routes.rule_id,
    routes.a_system,
    routes.role,
    routes.system,
    split_part(wanted.feed, '.', 2) as entity
from wanted
inner join {{ ref('rule_routes') }} as routes
    on wanted.rule_id = routes.rule_id and split_part(wanted.feed, '.', 1) = routes.role
