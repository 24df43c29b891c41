-- Since when all that a movement is held against tell what moves at its place. What moved before,
-- they may have told just as well, when nobody read them yet.
{{ config(materialized='view') }}

select
    rules.rule_id,
    routes.a_system,
    places.location_id,
    max(beginnings.began_at) as began_at
from {{ ref('rules_in_force') }} as rules
inner join {{ ref('rule_routes') }} as routes
    on rules.rule_id = routes.rule_id and rules.b_role = routes.role
inner join {{ ref('dim_locations') }} as places
    on routes.system = places.system
inner join {{ ref('ledger_beginnings') }} as beginnings
    on routes.system = beginnings.system
where rules.family = 'presence' and rules.object_type = 'movement'
group by rules.rule_id, routes.a_system, places.location_id
