-- Another quantity left the building than was fulfilled: put the posted document right.
{{ config(materialized='view') }}

with differing as (
    {{ correctable('adjust_fulfilment', 'erp') }}
),

shipments as (
    select
        system,
        document,
        order_line_id,
        list(still_so) as still_so
    from {{ ref('correction_facts') }}
    where milestone = 'shipped' and object_type = 'order_line' and is_standing
    group by system, document, order_line_id
),

-- One document may be changed; how several should share a difference is a matter for a person.
fulfilments as (
    select
        system,
        entity,
        document,
        order_line_id,
        min(own_document) as own_document,
        min(line_record) as line_record,
        sum(quantity) as quantity
    from {{ ref('correction_facts') }}
    where milestone = 'shipped' and object_type = 'order_line' and is_standing
    group by system, entity, document, order_line_id
    having count(*) = 1
),

located as (
    select
        differing.*,
        fulfilments.own_document as fulfilment,
        fulfilments.line_record as target_line,
        list_append(
            shipments.still_so,
            {{ must_equal(
                'fields',
                [
                    ('own_document', 'fulfilments.own_document'),
                    ('line_record', 'fulfilments.line_record'),
                    ('status', 'fields.standing_statuses[1]'),
                ],
                'quantity',
                exact_text('differing.observed_decimal'),
            ) }}
        ) as conditions
    from differing
    left join fulfilments
        on
            differing.target_system = fulfilments.system
            and differing.document = fulfilments.document
            and differing.order_line_id = fulfilments.order_line_id
            and differing.observed_decimal = fulfilments.quantity
    left join shipments
        on
            differing.authority_system = shipments.system
            and differing.document = shipments.document
            and differing.order_line_id = shipments.order_line_id
    left join {{ ref('int_record_fields') }} as fields
        on fulfilments.system = fields.system and fulfilments.entity = fields.entity
),

complete as (
    select *
    from located
    qualify
        bool_and(
            is_ready and fulfilment is not null and expected_decimal is not null
        ) over (partition by target_system, document)
)

select
    {{ resolved_exceptions('complete') }},
    'shipment' as object_type,
    complete.document as object_id,
    complete.fulfilment as target_object,
    {{ shipped_quantities('complete', 'observed_decimal') }} as old_value,
    {{ shipped_quantities('complete', 'expected_decimal') }} as new_value,
    json_object(
        'fulfilment_record', complete.fulfilment,
        'lines', list(
            json_object(
                'line_record', complete.target_line,
                'quantity', {{ exact_text('complete.expected_decimal') }},
                'old_quantity', {{ exact_text('complete.observed_decimal') }}
            ) order by cast(complete.target_line as integer)
        )
    ) as payload,
    {{ all_conditions('complete.conditions') }} as preconditions
from complete
group by complete.target_system, complete.document, complete.fulfilment
