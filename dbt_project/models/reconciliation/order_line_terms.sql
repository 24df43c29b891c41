-- The price and currency by which a line's risk is valued: the authority's word on the unit price.
with priced as (
    select
        events.order_line_id,
        events.unit_price,
        events.currency,
        events.item_id,
        authority.authoritative_role is not null as is_authority,
        events.recorded_to,
        events.event_id
    from {{ ref('order_events') }} as events
    left join {{ ref('authority') }} as authority
        on
            authority.object_type = 'order_line'
            and authority.field = 'unit_price'
            and events.role = authority.authoritative_role
            and authority.region = '*'
            and authority.valid_to is null
    where
        events.milestone in ('captured', 'ordered')
        and events.order_line_id is not null
        and events.unit_price is not null
)

select
    order_line_id,
    item_id,
    unit_price,
    currency
from priced
qualify
    row_number() over (
        partition by order_line_id order by is_authority desc, recorded_to asc, event_id asc
    ) = 1
