-- A residual that no movement explains: set the ERP's balance by it.
{{ config(materialized='view') }}

with drifted as (
    {{ correctable('adjust_stock', 'erp') }}
),

-- What each system holds now, by the order in which it was told; what is sent must still find both
-- unchanged.
balances as (
    select
        balances.system,
        balances.entity,
        balances.item_id,
        balances.location_id,
        balances.source_item,
        balances.source_location,
        balances.quantity,
        balances.record_count
    from {{ ref('position_balances') }} as balances
    inner join {{ ref('stg_log__extractions') }} as readings
        on
            balances.system = readings.system
            and balances.entity = readings.entity
            and balances.extraction_id = readings.extraction_id
    where balances.state = 'on_hand'
    qualify
        row_number() over (
            partition by balances.system, balances.item_id, balances.location_id
            order by
                readings.load_order desc,
                readings.extraction_started_at desc,
                balances.extraction_id asc
        ) = 1
),

located as (
    select
        drifted.*,
        targets.source_item as target_item,
        targets.source_location as target_location,
        targets.quantity as held_quantity,
        try_cast(
            targets.quantity + drifted.expected_decimal - drifted.observed_decimal
            as decimal(18, 6)
        ) as new_quantity,
        {{ must_equal(
            'target_fields',
            [('item', 'targets.source_item'), ('location', 'targets.source_location')],
            'on_hand',
            exact_text('targets.quantity'),
        ) }} as target_condition,
        {{ must_equal(
            'authority_fields',
            [('item', 'authorities.source_item'), ('location', 'authorities.source_location')],
            'on_hand',
            exact_text('authorities.quantity'),
        ) }} as authority_condition
    from drifted
    inner join balances as targets
        on
            drifted.target_system = targets.system
            and drifted.item_id = targets.item_id
            and drifted.location_id = targets.location_id
    inner join balances as authorities
        on
            drifted.authority_system = authorities.system
            and drifted.item_id = authorities.item_id
            and drifted.location_id = authorities.location_id
    inner join {{ ref('int_record_fields') }} as target_fields
        on targets.system = target_fields.system and targets.entity = target_fields.entity
    inner join {{ ref('int_record_fields') }} as authority_fields
        on
            authorities.system = authority_fields.system
            and authorities.entity = authority_fields.entity
    where
        drifted.is_ready
        and drifted.expected_decimal <> drifted.observed_decimal
        -- Of several records nobody knows which one the difference is in.
        and targets.record_count = 1
        and authorities.record_count = 1
)

select
    {{ resolved_exceptions('located') }},
    'position' as object_type,
    located.object_id,
    located.object_id as target_object,
    json_object('on_hand', {{ exact_text('located.held_quantity') }}) as old_value,
    json_object('on_hand', {{ exact_text('located.new_quantity') }}) as new_value,
    json_object(
        'target_item', located.target_item,
        'target_location', located.target_location,
        'quantity_delta', {{ exact_text('located.new_quantity - located.held_quantity') }},
        'expected_quantity', {{ exact_text('located.held_quantity') }},
        'new_quantity', {{ exact_text('located.new_quantity') }},
        'reason', 'RECONCILE'
    ) as payload,
    {{ all_conditions('[located.target_condition, located.authority_condition]') }}
        as preconditions
from located
where located.new_quantity is not null
group by
    located.target_system, located.object_id, located.target_item, located.target_location,
    located.held_quantity, located.new_quantity
