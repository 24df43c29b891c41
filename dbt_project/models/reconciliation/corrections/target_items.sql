-- Items by the number under which a system keeps them, where it is one: what a correction may name.
{{ config(materialized='view') }}

select
    system,
    item_id,
    source_item
from {{ ref('dim_items') }}
where item_id is not null
qualify count(*) over (partition by system, item_id) = 1
