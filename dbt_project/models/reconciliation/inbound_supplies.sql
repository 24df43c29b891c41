-- What suppliers still owe of each purchase order line, from one word about it to the next. Before
-- the supplier answers, our order is what is known. What was taken back counts as never said.
{{ config(materialized='view') }}

with told as (
    select
        object_id as purchase_line_id,
        milestone,
        item_id,
        location_id,
        promised_at,
        recorded_to as known_from,
        case when milestone = 'ordered' then quantity end as ordered_quantity,
        case when milestone = 'acknowledged' then quantity end as answered_quantity,
        case when milestone = 'received' then quantity end as received_quantity
    from {{ ref('order_events') }}
    where
        object_type = 'order_line'
        and reversed_from is null
        and (
            role = 'supplier' and milestone in ('ordered', 'acknowledged')
            or role = 'wms' and milestone = 'received'
        )
),

-- Item and place are those of our order, whatever was received. An answer that comes again in
-- another document adds up with the one before, as receipts do.
known as (
    select
        purchase_line_id,
        known_from,
        min(item_id) filter (where milestone = 'ordered') over purchase_line as item_id,
        min(location_id) filter (where milestone = 'ordered') over purchase_line as location_id,
        min(known_from) filter (where milestone = 'ordered') over purchase_line as ordered_at,
        coalesce(
            max(promised_at) filter (where milestone = 'acknowledged') over so_far,
            max(promised_at) filter (where milestone = 'ordered') over so_far
        ) as expected_at,
        sum(ordered_quantity) over so_far as ordered_quantity,
        sum(answered_quantity) over so_far as answered_quantity,
        coalesce(sum(received_quantity) over so_far, 0) as received_quantity
    from told
    window
        purchase_line as (partition by purchase_line_id),
        so_far as (partition by purchase_line_id order by known_from)
),

-- What was said at one moment is one step.
moments as (
    select distinct *
    from known
),

steps as (
    select
        *,
        lead(known_from) over (partition by purchase_line_id order by known_from) as known_to
    from moments
)

select
    purchase_line_id,
    item_id,
    location_id,
    ordered_at,
    known_from,
    known_to,
    expected_at,
    try_cast(greatest(ordered_quantity - received_quantity, 0) as decimal(18, 6))
        as inbound_quantity,
    try_cast(
        greatest(
            least(ordered_quantity, coalesce(answered_quantity, ordered_quantity))
            - received_quantity,
            0
        ) as decimal(18, 6)
    ) as sure_quantity
from steps
where ordered_quantity is not null and item_id is not null and location_id is not null
