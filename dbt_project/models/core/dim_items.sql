-- Items, one row for each system that knows one, with the pack as an exact fraction of base units.
select
    {{ identity(['items.system', 'items.source_item']) }} as item_key,
    items.system,
    systems.role,
    items.item_id,
    items.source_item,
    items.description,
    items.base_uom,
    items.pack_uom,
    items.pack_numerator,
    items.pack_denominator,
    cast(items.list_price as decimal(18, 6)) as list_price,
    items.currency,
    items.recorded_at,
    items.raw_key
from {{ ref('int_items') }} as items
inner join {{ ref('dim_systems') }} as systems
    on items.system = systems.system
