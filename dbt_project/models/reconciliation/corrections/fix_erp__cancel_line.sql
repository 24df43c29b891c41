-- Cancelled on one side only: cancel the ERP's line, as long as the warehouse does not have it.
{{ config(materialized='view') }}

with uncancelled as (
    {{ correctable('cancel_line', 'erp') }}
),

located as (
    select
        uncancelled.*,
        target_lines.own_document as target_order,
        target_lines.line_record as target_line,
        target_lines.still_so as target_condition,
        cancelled.still_so as cancelled_condition
    from uncancelled
    inner join {{ ref('order_line_records') }} as target_lines
        on
            uncancelled.target_system = target_lines.system
            and uncancelled.order_line_id = target_lines.order_line_id
    inner join {{ ref('correction_facts') }} as cancelled
        on
            uncancelled.a_system = cancelled.system
            and uncancelled.a_record_id = cancelled.record_id
            and uncancelled.milestone = cancelled.milestone
            and cancelled.is_standing
    where uncancelled.is_ready and not target_lines.is_released
)

select
    {{ resolved_exceptions('located') }},
    'order_line' as object_type,
    located.object_id,
    located.target_order || '/' || located.target_line as target_object,
    json_object('cancelled', false) as old_value,
    json_object('cancelled', true) as new_value,
    json_object('order_record', located.target_order, 'line_record', located.target_line)
        as payload,
    {{ all_conditions('[located.cancelled_condition, located.target_condition]') }}
        as preconditions
from located
group by
    located.target_system, located.object_id, located.target_order, located.target_line
