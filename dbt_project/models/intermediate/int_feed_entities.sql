-- Which contract entities of each configured system carry a canonical feed.
select
    systems.system,
    systems.role,
    feeds.feed,
    feeds.entity
from {{ ref('canonical_feeds') }} as feeds
inner join {{ ref('dim_systems') }} as systems
    on feeds.connector = systems.connector and feeds.role = systems.role
