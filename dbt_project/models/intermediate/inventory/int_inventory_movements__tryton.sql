-- Tryton's stock ledger as movements between states, in the ERP and in the WMS alike.
select
    movements.system,
    'stock_movements' as entity,
    movements.record_id,
    movements.sku as item_id,
    movements.location_id,
    movements.sku as source_item,
    movements.warehouse as source_location,
    movements.movement_type as source_type,
    coalesce(types.movement_kind, 'unmapped') as movement_kind,
    {{ mapping_method('movements.movement_type', 'types.movement_kind') }} as mapping_method,
    types.from_state,
    types.to_state,
    movements.quantity as on_hand_change,
    cast(null as varchar) as reason,
    -- The warehouse's own number is what others must follow; one that only the ERP gave binds
    -- nobody and explains no difference. Of a receipt both tell what the supplier calls it.
    case
        when systems.role <> 'wms' then movements.reference
        when types.movement_kind = 'receipt'
            then coalesce(movements.reference, movements.document)
        else movements.document
    end as document,
    movements.posted_at as occurred_at,
    movements.posted_from as recorded_from,
    -- Stamped before its transaction ends: a balance read in between does not show it yet.
    movements.posted_to + interval 1 second as recorded_to,
    cast(null as varchar) as origin,
    movements.seen_at,
    movements.is_first_load,
    movements.raw_key
from {{ ref('stg_tryton__stock_movements') }} as movements
inner join {{ ref('dim_systems') }} as systems
    on movements.system = systems.system
left join {{ ref('movement_types') }} as types
    on
        types.connector = 'tryton'
        and types.entity = 'stock_movements'
        and movements.movement_type = types.source_type
        and types.direction = case when movements.quantity < 0 then 'out' else 'in' end
where movements.version_number = 1
