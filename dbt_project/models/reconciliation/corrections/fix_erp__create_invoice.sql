-- Shipped and not invoiced: invoice the shipment, all lines of it in one document.
{{ config(materialized='view') }}

with lines as (
    {{ lines_to_create('create_invoice', 'erp', 'invoice_lines') }}
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
