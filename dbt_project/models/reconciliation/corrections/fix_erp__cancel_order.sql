-- The same order twice in the ERP: cancel the later document, unless it went on already.
{{ config(materialized='view') }}

with duplicates as (
    {{ correctable('cancel_order', 'erp') }}
),

lines as (
    select
        system,
        order_id,
        order_line_id,
        own_document,
        entity,
        any_value(still_so) filter (where milestone = 'captured') as still_so,
        any_value(quantity) filter (where milestone = 'captured') as quantity,
        any_value(unit_price) filter (where milestone = 'captured') as unit_price,
        any_value(currency) filter (where milestone = 'captured') as currency,
        count_if(milestone in ('released', 'shipped', 'invoiced')) > 0 as is_in_progress,
        count_if(milestone = 'cancelled') > 0 as is_cancelled
    from {{ ref('correction_facts') }}
    where is_standing and object_type = 'order_line'
    group by system, order_id, order_line_id, own_document, entity
    having count_if(milestone = 'captured') > 0
),

-- What makes the other one superfluous must still be there.
twins as (
    select
        duplicates.target_system,
        duplicates.object_id,
        duplicates.order_id,
        lines.order_line_id,
        {{ must_equal(
            'fields', [('own_document', 'lines.own_document')], 'cancelled', 'null'
        ) }} as still_there
    from duplicates
    inner join lines
        on
            duplicates.target_system = lines.system
            and duplicates.order_id = lines.order_id
            and duplicates.object_id <> lines.own_document
            and not lines.is_cancelled
    inner join {{ ref('int_record_fields') }} as fields
        on lines.system = fields.system and lines.entity = fields.entity
    qualify
        row_number() over (
            partition by duplicates.target_system, duplicates.object_id, lines.order_line_id
            order by lines.is_in_progress desc, lines.own_document asc
        ) = 1
),

cancellable as (
    select
        duplicates.* replace (
            {{ held_value('cast(lines.quantity as decimal(38, 6)) * lines.unit_price') }}
                as value_at_risk,
            coalesce(lines.currency, duplicates.currency) as currency
        ),
        lines.still_so,
        twins.still_there
    from duplicates
    inner join lines
        on
            duplicates.target_system = lines.system
            and duplicates.object_id = lines.own_document
            and not lines.is_cancelled
    left join twins
        on
            duplicates.target_system = twins.target_system
            and duplicates.object_id = twins.object_id
            and lines.order_line_id = twins.order_line_id
    qualify
        bool_and(
            duplicates.is_ready and not lines.is_in_progress and twins.still_there is not null
        ) over (partition by duplicates.target_system, duplicates.object_id)
)

select
    {{ resolved_exceptions('cancellable') }},
    'order_document' as object_type,
    cancellable.object_id,
    cancellable.object_id as target_object,
    json_object('cancelled', false) as old_value,
    json_object('cancelled', true) as new_value,
    json_object('order_record', cancellable.object_id) as payload,
    {{ all_conditions('[cancellable.still_so, cancellable.still_there]') }} as preconditions
from cancellable
group by cancellable.target_system, cancellable.object_id
