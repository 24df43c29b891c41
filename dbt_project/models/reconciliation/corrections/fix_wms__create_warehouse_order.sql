-- Released and unknown to the warehouse: send the release again, all lines of it.
{{ config(materialized='view') }}

with unknown as (
    {{ correctable('create_warehouse_order', 'wms') }}
),

lines as (
    select
        unknown.*,
        released.quantity as ordered_quantity,
        items.source_item as target_item,
        locations.source_location as target_location,
        [released.still_so] as released_conditions,
        {{ none_may_stand('fields', [('document', 'unknown.own_document')]) }}
            as absence_conditions
    from unknown
    left join {{ ref('correction_facts') }} as released
        on
            unknown.a_system = released.system
            and unknown.a_record_id = released.record_id
            and unknown.milestone = released.milestone
            and released.is_standing
    left join {{ ref('target_items') }} as items
        on unknown.target_system = items.system and unknown.item_id = items.item_id
    left join {{ ref('dim_locations') }} as locations
        on
            unknown.target_system = locations.system
            and unknown.location_id = locations.location_id
    left join {{ ref('int_record_fields') }} as fields
        on unknown.target_system = fields.system and list_contains(fields.feeds, 'order_lines')
),

-- A release that arrived in part is a matter for a person.
complete as (
    select *
    from lines
    where
        not exists (
            select 1
            from {{ ref('correction_facts') }} as held
            where
                held.system = lines.target_system
                and held.milestone = 'released'
                and held.document = lines.own_document
                and held.is_standing
        )
    qualify
        bool_and(
            is_ready
            and target_item is not null
            and target_location is not null
            and ordered_quantity is not null
        ) over (partition by target_system, own_document)
)

select
    {{ resolved_exceptions('complete') }},
    'order_document' as object_type,
    complete.own_document as object_id,
    complete.own_document as target_object,
    cast(null as json) as old_value,
    json_object(
        'host_order', complete.own_document,
        'location', complete.target_location,
        'lines', list(
            json_object(
                'host_line', complete.line_record,
                'target_item', complete.target_item,
                'quantity', {{ exact_text('complete.ordered_quantity') }},
                'uom', 'EA'
            ) order by cast(complete.line_record as integer)
        )
    ) as payload,
    payload as new_value,
    {{ all_conditions('list_concat(complete.released_conditions, complete.absence_conditions)') }}
        as preconditions
from complete
group by complete.target_system, complete.own_document, complete.target_location
