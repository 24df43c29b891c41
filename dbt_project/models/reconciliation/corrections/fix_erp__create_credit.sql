-- Returned and not credited: credit the return, all lines of it in one document.
{{ config(materialized='view') }}

with uncredited as (
    {{ correctable('create_credit', 'erp') }}
),

lines as (
    select
        uncredited.*,
        target_lines.own_document as target_order,
        target_lines.line_record as target_line,
        [returned.still_so] as current_conditions,
        {{ none_may_stand(
            'fields',
            [
                ('document', 'uncredited.document'),
                ('order_record', 'target_lines.own_document'),
            ],
        ) }} as absence_conditions
    from uncredited
    left join {{ ref('correction_facts') }} as returned
        on
            uncredited.a_system = returned.system
            and uncredited.a_record_id = returned.record_id
            and uncredited.milestone = returned.milestone
            and uncredited.order_line_id = returned.order_line_id
            and returned.object_type = 'order_line'
            and returned.is_standing
    left join {{ ref('order_line_records') }} as target_lines
        on
            uncredited.target_system = target_lines.system
            and uncredited.order_line_id = target_lines.order_line_id
    left join {{ ref('int_record_fields') }} as fields
        on
            uncredited.target_system = fields.system
            and list_contains(fields.feeds, 'settlement_lines')
),

-- A return of an order that something was credited for already is a matter for a person.
complete as (
    select *
    from lines
    where
        not exists (
            select 1
            from {{ ref('correction_facts') }} as held
            where
                held.system = lines.target_system
                and held.milestone in ('credited', 'allowance_granted')
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
    'return' as object_type,
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
