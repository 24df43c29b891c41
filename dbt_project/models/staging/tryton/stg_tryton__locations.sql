-- Places of Tryton, one row a version; of them only warehouses are known elsewhere.
with landed as (
    {{ versions('tryton', 'locations') }}
)

select
    cast(landed.location_id as varchar) as place_id,
    landed.code as place_code,
    landed.name as place_name,
    landed.location_type,
    cast(landed.parent_id as varchar) as parent_place_id,
    warehouses.location_id,
    landed.active as is_active,
    {{ instant('landed.modified_at', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('location_map') }} as warehouses
    on
        warehouses.connector = 'tryton'
        and landed.location_type = 'warehouse'
        and landed.code = warehouses.source_location
