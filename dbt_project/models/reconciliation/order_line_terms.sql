-- By what a line's risk is valued: price and quantity in the words of the price's authority.
with priced as (
    select
        events.order_line_id,
        events.unit_price,
        events.currency,
        events.item_id,
        events.quantity as ordered_quantity,
        coalesce(events.role = authorities.authoritative_role, false) as is_authority,
        events.recorded_to,
        events.event_id
    from {{ ref('order_events') }} as events
    left join {{ ref('authorities') }} as authorities
        on
            authorities.object_type = 'order_line'
            and authorities.field = 'unit_price'
            and events.system = authorities.a_system
    where
        events.milestone in ('captured', 'ordered')
        and events.order_line_id is not null
        and events.unit_price is not null
)

select
    order_line_id,
    item_id,
    ordered_quantity,
    unit_price,
    currency
from priced
qualify
    row_number() over (
        partition by order_line_id order by is_authority desc, recorded_to asc, event_id asc
    ) = 1
