-- Left the building, unknown to the ERP: post the shipment, all lines of it in one document.
{{ config(materialized='view') }}

with unposted as (
    {{ correctable('create_fulfilment', 'erp') }}
),

lines as (
    select
        unposted.*,
        target_lines.own_document as target_order,
        target_lines.line_record as target_line,
        locations.source_location as target_location,
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
                ('document', 'unposted.document'),
                ('order_record', 'target_lines.own_document'),
            ],
        ) }} as absence_conditions
    from unposted
    left join {{ ref('correction_facts') }} as shipped
        on
            unposted.a_system = shipped.system
            and unposted.a_record_id = shipped.record_id
            and unposted.milestone = shipped.milestone
            and unposted.order_line_id = shipped.order_line_id
            and shipped.object_type = 'order_line'
            and shipped.is_standing
    left join {{ ref('order_line_records') }} as target_lines
        on
            unposted.target_system = target_lines.system
            and unposted.order_line_id = target_lines.order_line_id
    left join {{ ref('dim_locations') }} as locations
        on
            unposted.target_system = locations.system
            and unposted.location_id = locations.location_id
    left join {{ ref('int_record_fields') }} as order_fields
        on target_lines.system = order_fields.system and target_lines.entity = order_fields.entity
    left join {{ ref('int_record_fields') }} as fields
        on unposted.target_system = fields.system
            and list_contains(fields.feeds, 'fulfilment_lines')
),

-- A shipment that was posted in part is a matter for a person.
complete as (
    select *
    from lines
    where
        not exists (
            select 1
            from {{ ref('correction_facts') }} as held
            where
                held.system = lines.target_system
                and held.milestone = 'shipped'
                and held.document = lines.document
                and held.order_id = lines.order_id
                and held.is_standing
        )
    qualify
        bool_and(
            is_ready
            and quantity is not null
            and target_line is not null
            and target_location is not null
        ) over (partition by target_system, document)
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
        'location', min(complete.location_id),
        'target_location', complete.target_location,
        'lines', {{ document_lines('complete') }}
    ) as payload,
    payload as new_value,
    {{ all_conditions('list_concat(complete.current_conditions, complete.absence_conditions)') }}
        as preconditions
from complete
group by
    complete.target_system, complete.document, complete.target_order, complete.target_location
