-- Stock moved and not posted in the ERP: post the movement. Posted twice: post its opposite.
{{ config(materialized='view') }}

with wanted as (
    {{ correctable('post_movement', 'erp') }}
),

movements as (
    select
        wanted.*,
        movements.movement_kind,
        movements.on_hand_change,
        movements.reason,
        movements.system = wanted.target_system as is_reversal
    from wanted
    inner join {{ ref('inventory_movements') }} as movements
        on
            wanted.a_system = movements.system
            and wanted.a_record_id = movements.record_id
            and wanted.milestone = movements.movement_kind
    where wanted.is_ready
),

-- A movement taken back keeps its type and changes its sign; a lost one has the target's own type.
translated as (
    select
        movements.*,
        items.source_item as target_item,
        locations.source_location as target_location,
        case when movements.is_reversal then -1 else 1 end * movements.on_hand_change
            as target_quantity,
        types.source_type as target_type
    from movements
    inner join {{ ref('target_items') }} as items
        on
            movements.target_system = items.system
            and movements.item_id = items.item_id
    inner join {{ ref('dim_locations') }} as locations
        on
            movements.target_system = locations.system
            and movements.location_id = locations.location_id
    inner join {{ ref('dim_systems') }} as systems
        on movements.target_system = systems.system
    inner join {{ ref('movement_types') }} as types
        on
            systems.connector = types.connector
            and movements.movement_kind = types.movement_kind
            and types.direction = case when movements.on_hand_change < 0 then 'out' else 'in' end
),

conditioned as (
    select
        translated.*,
        {{ must_equal(
            'own_fields',
            [
                ('document', 'translated.document'),
                ('own_document', 'translated.a_record_id'),
            ],
            'quantity',
            exact_text('translated.on_hand_change'),
        ) }} as still_there,
        {{ must_be_absent(
            'target_fields',
            [
                ('document', 'translated.document'),
                ('item', 'translated.target_item'),
                ('location', 'translated.target_location'),
                ('movement_type', 'translated.target_type'),
                ('quantity', exact_text('translated.target_quantity')),
            ],
        ) }} as not_posted
    from translated
    inner join {{ ref('inventory_movements') }} as a_records
        on
            translated.a_system = a_records.system
            and translated.a_record_id = a_records.record_id
            and translated.movement_kind = a_records.movement_kind
    inner join {{ ref('int_record_fields') }} as own_fields
        on translated.a_system = own_fields.system and a_records.entity = own_fields.entity
    inner join {{ ref('int_record_fields') }} as target_fields
        on
            translated.target_system = target_fields.system
            and list_contains(target_fields.feeds, 'stock_movements')
)

select
    {{ resolved_exceptions('conditioned') }},
    'movement' as object_type,
    conditioned.object_id,
    concat_ws('/', conditioned.document, conditioned.target_item, conditioned.target_location)
        as target_object,
    cast(null as json) as old_value,
    json_object(
        'target_item', conditioned.target_item,
        'target_location', conditioned.target_location,
        'movement_type', conditioned.target_type,
        'quantity', {{ exact_text('conditioned.target_quantity') }},
        'document', conditioned.document,
        'reason', min(conditioned.reason)
    ) as payload,
    payload as new_value,
    {{ all_conditions('[conditioned.still_there, conditioned.not_posted]') }} as preconditions
from conditioned
group by
    conditioned.target_system, conditioned.object_id, conditioned.document,
    conditioned.target_item, conditioned.target_location, conditioned.target_type,
    conditioned.target_quantity
