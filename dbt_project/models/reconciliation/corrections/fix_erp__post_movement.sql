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

-- What the target posted of a document in other parts than it moved may be a part of what it lacks:
-- how much is left, nobody knows. What it posted and took back counts as nothing.
posted_in_parts as (
    select
        posted.system,
        posted.document,
        posted.item_id,
        posted.location_id,
        posted.movement_kind,
        abs(posted.on_hand_change) as quantity
    from {{ ref('inventory_movements') }} as posted
    semi join movements
        on
            posted.system = movements.target_system
            and posted.document = movements.document
    anti join {{ ref('inventory_movements') }} as originals
        on
            posted.system <> originals.system
            and posted.document = originals.document
            and posted.item_id = originals.item_id
            and posted.location_id = originals.location_id
            and posted.movement_kind = originals.movement_kind
            and abs(posted.on_hand_change) = abs(originals.on_hand_change)
    group by all
    having sum(sign(posted.on_hand_change)) <> 0
),

whole as (
    select movements.*
    from movements
    anti join posted_in_parts
        on
            not movements.is_reversal
            and movements.target_system = posted_in_parts.system
            and movements.document = posted_in_parts.document
            and movements.item_id = posted_in_parts.item_id
            and movements.location_id = posted_in_parts.location_id
            and movements.movement_kind = posted_in_parts.movement_kind
),

-- A movement taken back keeps its type and changes its sign; a lost one has the target's own type.
translated as (
    select
        whole.*,
        items.source_item as target_item,
        locations.source_location as target_location,
        case when whole.is_reversal then -1 else 1 end * whole.on_hand_change as target_quantity,
        types.source_type as target_type
    from whole
    inner join {{ ref('target_items') }} as items
        on
            whole.target_system = items.system
            and whole.item_id = items.item_id
    inner join {{ ref('dim_locations') }} as locations
        on
            whole.target_system = locations.system
            and whole.location_id = locations.location_id
    inner join {{ ref('dim_systems') }} as systems
        on whole.target_system = systems.system
    inner join {{ ref('movement_types') }} as types
        on
            systems.connector = types.connector
            and whole.movement_kind = types.movement_kind
            and types.direction = case when whole.on_hand_change < 0 then 'out' else 'in' end
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
