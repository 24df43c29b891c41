-- How each configured system names what a point read needs, one row a contract entity.
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
)

select
    systems.system,
    named.entity,
    named.names,
    coalesce(standing.standing_statuses, []) as standing_statuses
from named
inner join {{ ref('dim_systems') }} as systems
    on named.connector = systems.connector
left join standing
    on
        named.connector = standing.connector
        and named.entity = standing.entity
        and named.names['status'] = standing.field
