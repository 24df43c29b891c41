-- Links as events ask for them: within the one system that told it, or ('*') by anybody's word as
-- long as all agree. A join on equalities alone stays a hash join.
{{ config(materialized='view') }}

select
    system as scope,
    object_type,
    object_key,
    order_line_id,
    quantity,
    cast(null as varchar) as told_by
from {{ ref('object_links') }}
union all
select
    '*' as scope,
    object_type,
    object_key,
    order_line_id,
    -- Each system tells a link once: where several do, that of the first counts.
    arg_min_null(quantity, system) as quantity,
    case when min(system) = max(system) then min(system) end as told_by
from {{ ref('object_links') }}
where certainty = 'certain'
group by object_type, object_key, order_line_id
