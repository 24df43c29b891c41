-- Shipped and not invoiced: invoice the shipment, all lines of it in one document.
{{ config(materialized='view') }}

with uninvoiced as (
    {{ correctable('create_invoice', 'erp') }}
),

lines as (
    select
        uninvoiced.*,
        target_lines.own_document as target_order,
        target_lines.line_record as target_line,
        [
            shipped.still_so,
            {{ must_equal(
                'order_fields',
                [
                    ('own_document', 'target_lines.own_document'),
                    ('line_record', 'target_lines.line_record'),
                ],
                'cancelled',
                'null',
            ) }}
        ] as current_conditions,
        {{ none_may_stand(
            'fields',
            [
                ('document', 'uninvoiced.document'),
                ('order_record', 'target_lines.own_document'),
            ],
        ) }} as absence_conditions
    from uninvoiced
    left join {{ ref('correction_facts') }} as shipped
        on
            uninvoiced.a_system = shipped.system
            and uninvoiced.a_record_id = shipped.record_id
            and uninvoiced.milestone = shipped.milestone
            and uninvoiced.order_line_id = shipped.order_line_id
            and shipped.object_type = 'order_line'
            and shipped.is_standing
    left join {{ ref('order_line_records') }} as target_lines
        on
            uninvoiced.target_system = target_lines.system
            and uninvoiced.order_line_id = target_lines.order_line_id
    left join {{ ref('int_record_fields') }} as order_fields
        on target_lines.system = order_fields.system and target_lines.entity = order_fields.entity
    left join {{ ref('int_record_fields') }} as fields
        on uninvoiced.target_system = fields.system and list_contains(fields.feeds, 'invoice_lines')
),

-- A shipment that was invoiced in part is a matter for a person.
complete as (
    select *
    from lines
    where
        not exists (
            select 1
            from {{ ref('correction_facts') }} as held
            where
                held.system = lines.target_system
                and held.milestone = 'invoiced'
                and held.document = lines.document
                and held.order_id = lines.order_id
                and held.is_standing
        )
    qualify
        bool_and(is_ready and quantity is not null and target_line is not null) over (
            partition by target_system, document
        )
)

select
    {{ resolved_exceptions('complete') }},
    'shipment' as object_type,
    complete.document as object_id,
    complete.target_order || '/' || complete.document as target_object,
    cast(null as json) as old_value,
    json_object(
        'order_record', complete.target_order,
        'document', complete.document,
        'lines', {{ document_lines('complete') }}
    ) as payload,
    payload as new_value,
    {{ all_conditions('list_concat(complete.current_conditions, complete.absence_conditions)') }}
        as preconditions
from complete
group by complete.target_system, complete.document, complete.target_order
