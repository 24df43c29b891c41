-- How each configured system names what a point read needs, one row a contract entity.
{{ config(materialized='table') }}

with standing as (
    select
        connector,
        entity,
        field,
        list_sort(list(source_value)) as standing_statuses
    from {{ ref('status_map') }}
    where canonical_value not in ('cancelled', 'reversed')
    group by connector, entity, field
),

named as (
    select
        connector,
        entity,
        map_from_entries(list((meaning, field) order by meaning)) as names
    from {{ ref('record_fields') }}
    group by connector, entity
),

carried as (
    select
        system,
        entity,
        list_sort(list(feed)) as feeds
    from {{ ref('int_feed_entities') }}
    group by system, entity
)

select
    systems.system,
    named.entity,
    coalesce(carried.feeds, []) as feeds,
    named.names,
    coalesce(standing.standing_statuses, []) as standing_statuses
from named
inner join {{ ref('dim_systems') }} as systems
    on named.connector = systems.connector
left join carried
    on systems.system = carried.system and named.entity = carried.entity
left join standing
    on
        named.connector = standing.connector
        and named.entity = standing.entity
        and named.names['status'] = standing.field
