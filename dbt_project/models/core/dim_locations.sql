-- Locations, one row for each code by which a system knows one.
select
    {{ identity(['systems.system', 'locations.source_location']) }} as location_key,
    systems.system,
    systems.role,
    locations.location_id,
    locations.source_location
from {{ ref('location_map') }} as locations
inner join {{ ref('dim_systems') }} as systems
    on locations.connector = systems.connector
-- One of several instances may keep some of the places only that its product can name.
where
    systems.locations is null
    or list_contains({{ list_of('systems.locations') }}, locations.location_id)
