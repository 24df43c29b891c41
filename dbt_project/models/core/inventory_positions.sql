-- Balances as systems showed them, one row an item, location, state and moment.
select
    {{ identity([
        'positions.system', 'positions.record_id', 'positions.state', 'positions.extraction_id',
    ]) }} as position_id,
    positions.system,
    systems.role,
    positions.entity,
    positions.record_id,
    positions.item_id,
    positions.location_id,
    positions.source_item,
    positions.source_location,
    positions.state,
    positions.channel,
    cast(positions.quantity as decimal(18, 6)) as quantity,
    positions.as_of,
    positions.as_of_from,
    positions.as_of_to,
    positions.extraction_id,
    positions.seen_at,
    positions.raw_key
from {{ ref('int_inventory_positions') }} as positions
inner join {{ ref('dim_systems') }} as systems
    on positions.system = systems.system
