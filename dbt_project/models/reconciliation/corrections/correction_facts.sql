-- The events of every order and document that a correction may touch, and how to see them again.
with orders as (
    select distinct order_id
    from {{ ref('correctable_exceptions') }}
    where order_id is not null
),

documents as (
    select distinct own_document
    from {{ ref('correctable_exceptions') }}
    where own_document is not null
),

touched as (
    select *
    from {{ ref('order_events') }}
    where
        order_id in (select orders.order_id from orders)
        or own_document in (select documents.own_document from documents)
)

select
    touched.* exclude (
        quantity_changes, occurred_from, occurred_to, redated_from, redated_to, redated_seen_at
    ),
    touched.reversed_to is null as is_standing,
    {{ must_equal(
        'fields',
        [
            ('document', 'touched.document'),
            ('own_document', 'touched.own_document'),
            ('line_record', 'touched.line_record'),
        ],
        'status',
        'touched.source_status',
    ) }} as still_so
from touched
left join {{ ref('int_record_fields') }} as fields
    on touched.system = fields.system and touched.entity = fields.entity
