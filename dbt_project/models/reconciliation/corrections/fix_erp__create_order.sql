-- Accepted and absent in the ERP: enter the order, with all of its lines that stand.
{{ config(materialized='view') }}

with missing as (
    {{ correctable('create_order', 'erp') }}
),

lines as (
    select
        missing.*,
        accepted.party_id,
        accepted.party_reference,
        accepted.currency as order_currency,
        accepted.quantity as ordered_quantity,
        accepted.unit_price,
        regexp_extract(missing.order_line_id, '([^/]*)$', 1) as line_number,
        items.source_item as target_item,
        [accepted.still_so] as accepted_conditions,
        {{ none_may_stand('fields', [('order_number', 'missing.order_id')]) }}
            as absence_conditions
    from missing
    left join {{ ref('correction_facts') }} as accepted
        on
            missing.a_system = accepted.system
            and missing.a_record_id = accepted.record_id
            and missing.milestone = accepted.milestone
            and accepted.is_standing
    left join {{ ref('target_items') }} as items
        on missing.target_system = items.system and missing.item_id = items.item_id
    left join {{ ref('int_record_fields') }} as fields
        on missing.target_system = fields.system
            and list_contains(fields.feeds, 'sales_order_lines')
),

-- An order that the ERP has in part is a matter for a person.
complete as (
    select *
    from lines
    where
        not exists (
            select 1
            from {{ ref('order_line_records') }} as held
            where held.system = lines.target_system and held.order_id = lines.order_id
        )
    qualify
        bool_and(
            is_ready
            and target_item is not null
            and ordered_quantity is not null
            and unit_price is not null
        ) over (partition by target_system, order_id)
)

select
    {{ resolved_exceptions('complete') }},
    'order' as object_type,
    complete.order_id as object_id,
    complete.order_id as target_object,
    cast(null as json) as old_value,
    json_object(
        'order_number', complete.order_id,
        'customer_ref', min(complete.party_id),
        'customer_po', min(complete.party_reference),
        'currency', min(complete.order_currency),
        'lines', list(
            json_object(
                'line_no', complete.line_number,
                'item', complete.item_id,
                'target_item', complete.target_item,
                'quantity', {{ exact_text('complete.ordered_quantity') }},
                'uom', 'EA',
                'unit_price', {{ exact_text('complete.unit_price') }}
            ) order by cast(complete.line_number as integer), complete.obligation_id
        )
    ) as payload,
    payload as new_value,
    {{ all_conditions('list_concat(complete.accepted_conditions, complete.absence_conditions)') }}
        as preconditions
from complete
group by complete.target_system, complete.order_id
