-- What belongs to which order line, over at most two steps, by which method and how surely.
with declared as (
    select * from {{ ref('int_object_links') }}
),

named as (
    select
        *,
        -- Two systems may use one document number for two orders: then the number alone is no link.
        min(target_key) over same_key <> max(target_key) over same_key as is_ambiguous
    from declared
    where target_type = 'order_line'
    window same_key as (partition by object_type, object_key)
),

-- What is told in parts, such as a line on two pallets, is one link with all of it.
direct as (
    select
        system,
        object_type,
        object_key,
        target_key as order_line_id,
        sum(quantity) as quantity,
        min(method) as method,
        min(recorded_at) as recorded_at,
        min(raw_key) as raw_key,
        is_ambiguous,
        1 as steps
    from named
    group by system, object_type, object_key, target_key, is_ambiguous
),

unambiguous as (
    select
        object_type,
        object_key,
        min(order_line_id) as order_line_id,
        case when min(system) = max(system) then min(system) end as told_by
    from direct
    where not is_ambiguous
    group by object_type, object_key
),

-- Two ERPs may have given one number: who keeps nothing at a place can't be meant by what was made
-- up there. Of whom no place is known, any may be.
places as (
    select
        system,
        list(distinct location_id) as kept_places
    from {{ ref('dim_locations') }}
    group by system
),

indirect as (
    select
        declared.system,
        declared.object_type,
        declared.object_key,
        unambiguous.order_line_id,
        sum(declared.quantity) as quantity,
        min(declared.method) as method,
        min(declared.recorded_at) as recorded_at,
        min(declared.raw_key) as raw_key,
        false as is_ambiguous,
        2 as steps
    from declared
    inner join unambiguous
        on
            declared.target_type = unambiguous.object_type
            and declared.target_key = unambiguous.object_key
    left join places
        on unambiguous.told_by = places.system
    where coalesce(list_contains(places.kept_places, declared.location_id), true)
    group by
        declared.system, declared.object_type, declared.object_key, unambiguous.order_line_id
),

resolved as (
    select * from direct
    union all by name
    select * from indirect
)

select
    {{ identity(['system', 'object_type', 'object_key', 'order_line_id']) }} as link_id,
    system,
    object_type,
    object_key,
    order_line_id,
    regexp_extract(order_line_id, '^(.*)/[^/]*$', 1) as order_id,
    try_cast(quantity as decimal(18, 6)) as quantity,
    method,
    case when is_ambiguous then 'ambiguous' else 'certain' end as certainty,
    recorded_at,
    raw_key
from resolved
-- What names a line itself and reaches it over another document, too, is linked once.
qualify row_number() over (
        partition by system, object_type, object_key, order_line_id order by steps
    ) = 1
