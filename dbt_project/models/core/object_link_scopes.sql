-- Links as events ask for them: within the one system that told it, or ('*') by anybody's word as
-- long as all agree. A join on equalities alone stays a hash join.
{{ config(materialized='view') }}

select
    system as scope,
    object_type,
    object_key,
    order_line_id,
    quantity
from {{ ref('object_links') }}
qualify row_number() over (
        partition by system, object_type, object_key, order_line_id order by quantity
    ) = 1
union all
select
    '*' as scope,
    object_type,
    object_key,
    order_line_id,
    quantity
from {{ ref('object_links') }}
where certainty = 'certain'
qualify row_number() over (
        partition by object_type, object_key, order_line_id order by system, quantity
    ) = 1
