-- What customers still wait for: the part of each order line that has neither shipped nor arrived.
{{ config(materialized='view') }}

with promises as (
    select
        order_line_id,
        min(promised_at) as promised_at
    from {{ ref('order_events') }}
    where
        role in ('oms', 'erp', 'channel')
        and order_line_id is not null
        and promised_at is not null
        and reversed_from is null
    group by order_line_id
),

lines as (
    select
        *,
        try_cast(
            ordered_quantity
            - greatest(coalesce(shipped_quantity, 0), coalesce(delivered_quantity, 0))
            as decimal(18, 6)
        ) as open_quantity
    from {{ ref('order_lifecycle') }}
    where
        captured_at is not null
        and ordered_at is null
        and cancelled_at is null
        -- What came may be a part. Of what came in an unknown quantity nothing is waited for.
        and (delivered_at is null or delivered_quantity is not null)
)

select
    lines.order_line_id,
    lines.order_id,
    lines.party_id,
    lines.item_id,
    lines.location_id,
    lines.open_quantity,
    promises.promised_at,
    coalesce(lines.accepted_at, lines.captured_at) as waits_since,
    lines.unit_price,
    lines.currency
from lines
left join promises
    on lines.order_line_id = promises.order_line_id
where lines.open_quantity > 0
