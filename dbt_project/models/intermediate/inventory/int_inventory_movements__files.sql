-- The stock ledger of an ERP from files as movements between states. One that is corrected takes
-- back what it told first, when it was changed.
with movements as (
    select
        movements.system,
        'erp_document_lines' as entity,
        movements.record_id,
        movements.version_number,
        movements.item as item_id,
        movements.location_id,
        movements.item as source_item,
        movements.warehouse as source_location,
        movements.movement_type as source_type,
        coalesce(types.movement_kind, 'unmapped') as movement_kind,
        {{ mapping_method('movements.movement_type', 'types.movement_kind') }} as mapping_method,
        types.from_state,
        types.to_state,
        -- Stock that changes its state stays in the building.
        case
            when 'on_hand' in (types.from_state, types.to_state) or types.movement_kind is null
                then movements.quantity
            else 0
        end as on_hand_change,
        abs(movements.quantity) as moved_quantity,
        movements.reason,
        movements.answers_document as document,
        movements.posted_at as occurred_at,
        case movements.version_number
            when 1 then movements.posted_from else movements.updated_from
        end as recorded_from,
        case movements.version_number
            when 1 then movements.posted_to else movements.updated_to
        end as recorded_to,
        cast(null as varchar) as origin,
        movements.seen_at,
        movements.is_first_load,
        movements.raw_key
    from {{ ref('stg_files__erp_document_lines') }} as movements
    left join {{ ref('movement_types') }} as types
        on
            types.connector = 'files'
            and types.entity = 'erp_document_lines'
            and movements.movement_type = types.source_type
            and types.direction = case when movements.quantity < 0 then 'out' else 'in' end
    where movements.document_type = 'M'
),

corrected as (
    {{ corrected_movements('movements') }}
)

select * from corrected
