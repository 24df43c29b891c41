-- Left the building, unknown to the ERP: post the shipment, all lines of it in one document.
{{ config(materialized='view') }}

with unposted as (
    {{ lines_to_create('create_fulfilment', 'erp', 'fulfilment_lines') }}
),

lines as (
    select
        unposted.*,
        locations.source_location as target_location
    from unposted
    left join {{ ref('dim_locations') }} as locations
        on
            unposted.target_system = locations.system
            and unposted.location_id = locations.location_id
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
