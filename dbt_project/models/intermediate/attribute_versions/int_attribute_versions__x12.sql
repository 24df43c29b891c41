-- What warehouses held for compared fields by EDI: shipped quantities in base units.
select
    system,
    'shipment_lines' as entity,
    record_id,
    version_number,
    'shipment_line' as object_type,
    {{ host_line_type() }} as link_type,
    {{ host_line_key() }} as link_key,
    cast(null as varchar) as link_system,
    shipment_number as document,
    'shipped_quantity' as field,
    case when canonical_status = 'shipped' then base_quantity end as value,
    true as is_additive,
    written_from as recorded_from,
    written_to as recorded_to,
    seen_at,
    is_first_load,
    raw_key
from {{ ref('stg_x12__shipment_lines') }}
where quantity > 0
