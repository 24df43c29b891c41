-- The instance on the other side of a rule, where there is just one.
select
    routes.rule_id,
    routes.a_system,
    case when count(*) = 1 then min(routes.system) end as system
from {{ ref('rule_routes') }} as routes
inner join {{ ref('rules') }} as rules
    on routes.rule_id = rules.rule_id and routes.role = coalesce(rules.b_role, rules.a_role)
group by routes.rule_id, routes.a_system
