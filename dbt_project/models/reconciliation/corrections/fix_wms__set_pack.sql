-- The warehouse counts another pack than the item master: take over the authority's.
{{ config(materialized='view') }}

with differing as (
    {{ correctable('set_pack', 'wms') }}
),

located as (
    select
        differing.*,
        targets.source_item as target_item,
        {{ must_equal(
            'target_fields',
            [('item', 'targets.source_item')],
            'pack_quantity',
            exact_text('differing.observed_decimal'),
        ) }} as target_condition,
        {{ must_equal(
            'authority_fields',
            [('item', 'authorities.source_item')],
            'pack_quantity',
            exact_text('differing.expected_decimal'),
        ) }} as authority_condition
    from differing
    inner join {{ ref('target_items') }} as targets
        on
            differing.target_system = targets.system
            and differing.item_id = targets.item_id
    inner join {{ ref('target_items') }} as authorities
        on
            differing.authority_system = authorities.system
            and differing.item_id = authorities.item_id
    inner join {{ ref('int_record_fields') }} as target_fields
        on targets.system = target_fields.system and list_contains(target_fields.feeds, 'items')
    inner join {{ ref('int_record_fields') }} as authority_fields
        on authorities.system = authority_fields.system
            and list_contains(authority_fields.feeds, 'items')
    where differing.is_ready
)

select
    {{ resolved_exceptions('located') }},
    'item' as object_type,
    located.object_id,
    located.target_item as target_object,
    json_object('pack_quantity', {{ exact_text('located.observed_decimal') }}) as old_value,
    json_object('pack_quantity', {{ exact_text('located.expected_decimal') }}) as new_value,
    json_object(
        'target_item', located.target_item,
        'pack_quantity', {{ exact_text('located.expected_decimal') }},
        'old_pack_quantity', {{ exact_text('located.observed_decimal') }}
    ) as payload,
    {{ all_conditions('[located.target_condition, located.authority_condition]') }}
        as preconditions
from located
group by
    located.target_system, located.object_id, located.target_item, located.expected_decimal,
    located.observed_decimal
