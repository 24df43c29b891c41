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
    quantity,
    case
        when min(system) over same_link = max(system) over same_link then system
    end as told_by
from {{ ref('object_links') }}
where certainty = 'certain'
window same_link as (partition by object_type, object_key, order_line_id)
qualify row_number() over (
        partition by object_type, object_key, order_line_id order by system, quantity
    ) = 1
