-- Delivered and not so in the OMS: tell it when.
{{ config(materialized='view') }}

with untold as (
    {{ correctable('set_delivered', 'oms') }}
),

located as (
    select
        untold.*,
        target_lines.own_document as target_order,
        target_lines.line_record as target_line,
        delivered.occurred_at as delivered_at,
        delivered.still_so,
        {{ must_equal(
            'fields',
            [
                ('own_document', 'target_lines.own_document'),
                ('line_record', 'target_lines.line_record'),
            ],
            'delivered',
            'null',
        ) }} as not_delivered
    from untold
    inner join {{ ref('order_line_records') }} as target_lines
        on
            untold.target_system = target_lines.system
            and untold.order_line_id = target_lines.order_line_id
    inner join {{ ref('correction_facts') }} as delivered
        on
            untold.a_system = delivered.system
            and untold.a_record_id = delivered.record_id
            and untold.milestone = delivered.milestone
            and untold.order_line_id = delivered.order_line_id
            and delivered.is_standing
    inner join {{ ref('int_record_fields') }} as fields
        on target_lines.system = fields.system and target_lines.entity = fields.entity
    where untold.is_ready
)

select
    {{ resolved_exceptions('located') }},
    'order_line' as object_type,
    located.object_id,
    located.target_order || '/' || located.target_line as target_object,
    json_object('delivered_at', cast(null as varchar)) as old_value,
    json_object('delivered_at', {{ iso_text('located.delivered_at') }}) as new_value,
    json_object(
        'order_record', located.target_order,
        'line_record', located.target_line,
        'delivered_at', {{ iso_text('located.delivered_at') }}
    ) as payload,
    {{ all_conditions('[located.still_so, located.not_delivered]') }} as preconditions
from located
group by
    located.target_system, located.object_id, located.target_order, located.target_line,
    located.delivered_at
