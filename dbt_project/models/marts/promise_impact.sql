-- Which orders wait for goods that are late or will not come in full. Of an item at a place, what
-- is on the shelf and then each purchase order line, the earliest first, goes to the open order
-- lines, the earliest promise first: both are laid end to end, and where two lie side by side one
-- waits for the other.
{{ config(materialized='view') }}

with inbound as (
    select
        purchase_line_id,
        item_id,
        location_id,
        expected_at,
        ordered_at,
        inbound_quantity,
        sure_quantity
    from {{ ref('inbound_supplies') }}
    where known_to is null and inbound_quantity > 0
),

-- What is wrong with an inbound line, or with the purchase order that it stands on: every duty of a
-- supplier, or about what he sent, that is open.
troubles as (
    select
        exceptions.object_id,
        list_sort(list_distinct(list(exceptions.rule_id))) as rule_ids
    from {{ ref('judged_exceptions') }} as exceptions
    inner join {{ ref('rules') }} as rules
        on exceptions.rule_id = rules.rule_id
    where
        exceptions.status = 'open'
        and rules.family = 'presence'
        and rules.a_role = 'supplier'
        and rules.object_type in ('order_line', 'purchase_order')
        and rules.a_milestone in ('ordered', 'acknowledged', 'asn_sent')
    group by exceptions.object_id
),

judged_inbound as (
    select
        inbound.*,
        list_sort(list_distinct(list_concat(
            coalesce(of_line.rule_ids, []), coalesce(of_order.rule_ids, [])
        ))) as rule_ids
    from inbound
    left join troubles as of_line
        on inbound.purchase_line_id = of_line.object_id
    left join troubles as of_order
        on regexp_extract(inbound.purchase_line_id, '^(.*)/[^/]*$', 1) = of_order.object_id
),

-- All that lies there and can be sold, whether it is allocated or not: allocated stock is pegged to
-- the lines that came first, which is what these are.
shelves as (
    select
        item_id,
        location_id,
        greatest(
            sum(
                case
                    when state = 'on_hand' then canonical_quantity
                    when state in ('damaged', 'quarantined', 'returned', 'expired')
                        then -canonical_quantity
                end
            ),
            0
        ) as quantity
    from {{ ref('inventory_state') }}
    group by item_id, location_id
),

supplies as (
    select
        purchase_line_id,
        item_id,
        location_id,
        inbound_quantity as quantity,
        sure_quantity,
        expected_at,
        ordered_at,
        rule_ids,
        false as is_shelf
    from judged_inbound
    union all by name
    select
        item_id,
        location_id,
        quantity,
        true as is_shelf
    from shelves
    where quantity > 0
),

laid_supplies as (
    select
        *,
        sum(quantity) over (
            partition by item_id, location_id
            order by
                is_shelf desc, expected_at asc nulls last, ordered_at asc, purchase_line_id asc
        ) - quantity as begins_at
    from supplies
),

laid_demands as (
    select
        *,
        sum(open_quantity) over (
            partition by item_id, location_id
            order by promised_at asc nulls last, waits_since asc, order_line_id asc
        ) - open_quantity as begins_at
    from {{ ref('open_order_lines') }}
),

-- The part of an inbound line that will not come is its end.
pegged as (
    select
        demands.order_line_id,
        demands.order_id,
        demands.party_id,
        demands.item_id,
        demands.location_id,
        demands.promised_at,
        demands.unit_price,
        demands.currency,
        supplies.purchase_line_id,
        supplies.expected_at,
        supplies.rule_ids,
        least(
            demands.begins_at + demands.open_quantity, supplies.begins_at + supplies.quantity
        ) - greatest(demands.begins_at, supplies.begins_at) as pegged_quantity,
        greatest(
            least(
                demands.begins_at + demands.open_quantity, supplies.begins_at + supplies.quantity
            ) - greatest(demands.begins_at, supplies.begins_at + supplies.sure_quantity),
            0
        ) as short_quantity
    from laid_demands as demands
    inner join laid_supplies as supplies
        on
            demands.item_id = supplies.item_id
            and demands.location_id = supplies.location_id
            and demands.begins_at < supplies.begins_at + supplies.quantity
            and supplies.begins_at < demands.begins_at + demands.open_quantity
    where not supplies.is_shelf
)

select
    order_line_id,
    order_id,
    party_id,
    item_id,
    location_id,
    promised_at,
    purchase_line_id,
    expected_at,
    expected_at > promised_at as is_after_promise,
    try_cast(pegged_quantity as decimal(18, 6)) as pegged_quantity,
    try_cast(short_quantity as decimal(18, 6)) as short_quantity,
    rule_ids,
    try_cast(cast(pegged_quantity as decimal(38, 6)) * unit_price as decimal(18, 6))
        as value_at_risk,
    currency
from pegged
where len(rule_ids) > 0 or short_quantity > 0 or expected_at > promised_at
