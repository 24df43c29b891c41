-- Which role decides a field of an object now, for each instance that a rule starts from.
with frontier as (
    select max(watermark_at) as known_until from {{ ref('feed_watermarks') }}
)

select
    authority.object_type,
    authority.field,
    systems.system as a_system,
    authority.authoritative_role
from {{ ref('authority') }} as authority
inner join {{ ref('dim_systems') }} as systems
    on authority.region in ('*', systems.region)
cross join frontier
where
    coalesce(authority.valid_from <= frontier.known_until, true)
    and coalesce(authority.valid_to > frontier.known_until, true)
-- A row for the region beats the row for all, a later one the earlier, and one that ends the one
-- that holds for ever: who names a date means what it says until then.
qualify row_number() over (
        partition by authority.object_type, authority.field, systems.system
        order by
            authority.region = '*' asc,
            authority.valid_from desc nulls last,
            authority.valid_to asc nulls last,
            authority.authoritative_role asc
    ) = 1
