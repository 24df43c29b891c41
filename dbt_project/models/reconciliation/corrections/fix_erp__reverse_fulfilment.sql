-- Fulfilled and never shipped: take the document back, if none of its lines was shipped.
{{ config(materialized='view') }}

with unshipped as (
    {{ correctable('reverse_fulfilment', 'erp') }}
),

posted_lines as (
    select *
    from {{ ref('correction_facts') }}
    where milestone = 'shipped' and object_type = 'order_line' and is_standing
),

concerned as (
    select distinct
        target_system,
        own_document
    from unshipped
),

-- Every line that the document posts must be one that was not shipped.
lines as (
    select
        unshipped.*,
        posted_lines.system as record_system,
        posted_lines.own_document as fulfilment,
        list_append(
            {{ none_may_stand('fields', [('document', 'posted_lines.document')]) }},
            posted_lines.still_so
        ) as conditions
    from posted_lines
    inner join concerned
        on
            posted_lines.system = concerned.target_system
            and posted_lines.own_document = concerned.own_document
    left join unshipped
        on
            posted_lines.system = unshipped.target_system
            and posted_lines.own_document = unshipped.own_document
            and posted_lines.line_record = unshipped.line_record
    left join {{ ref('int_record_fields') }} as fields
        on
            unshipped.authority_system = fields.system
            and list_contains(fields.feeds, 'shipment_lines')
    qualify
        bool_and(coalesce(unshipped.is_ready, false)) over (
            partition by posted_lines.system, posted_lines.own_document
        )
)

select
    {{ resolved_exceptions('lines') }},
    'shipment' as object_type,
    coalesce(min(lines.document), lines.fulfilment) as object_id,
    lines.fulfilment as target_object,
    json_object('fulfilment', lines.fulfilment, 'reversed', false) as old_value,
    json_object('fulfilment', lines.fulfilment, 'reversed', true) as new_value,
    json_object('fulfilment_record', lines.fulfilment) as payload,
    {{ all_conditions('lines.conditions') }} as preconditions
from lines
group by lines.target_system, lines.fulfilment
