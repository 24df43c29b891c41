-- Everything a rule can name: milestones of orders and movements of stock, in one shape.
{{ config(materialized='view') }}

with milestones as not materialized (
    select
        event_id as fact_id,
        system,
        role,
        entity,
        record_id,
        milestone,
        ordinal,
        object_type,
        object_id,
        order_id,
        order_line_id,
        document,
        own_document,
        line_record,
        party_id,
        party_reference,
        item_id,
        location_id,
        quantity,
        quantity_changes,
        occurred_from,
        occurred_to,
        redated_from,
        redated_to,
        redated_seen_at,
        promised_at,
        recorded_from,
        recorded_to,
        reversed_from,
        reversed_to,
        seen_at,
        is_first_load,
        origin,
        is_echo,
        raw_key
    from {{ ref('order_events') }}
),

-- Nobody tells that a customer wants a notice of what is sent: it holds since the order was taken.
wanted_notices as (
    select
        milestones.* replace (
            milestones.fact_id || '/notice_wanted' as fact_id,
            'notice_wanted' as milestone
        )
    from milestones
    where
        milestones.milestone = 'captured'
        and milestones.object_type = 'order_line'
        and exists (
            select 1
            from {{ ref('notice_customers') }} as customers
            where
                customers.party_id = milestones.party_id
                and coalesce(customers.system, '*') in ('*', milestones.system)
                and coalesce(milestones.occurred_to >= customers.valid_from, true)
                and coalesce(milestones.occurred_to < customers.valid_to, true)
        )
),

-- What suppliers were ordered, by the line of the purchase order: nothing once it is taken back.
purchases as (
    select
        object_id as purchase_line,
        max(case when reversed_to is null then quantity else 0 end) as quantity
    from milestones
    where role = 'supplier' and milestone = 'ordered' and object_type = 'order_line'
    group by object_id
),

-- How much of a customer's line is bought for it. Of an order that no supplier's system tells, what
-- the link says.
bought as (
    select
        links.order_line_id,
        sum(coalesce(purchases.quantity, links.quantity)) as quantity
    from (
        select distinct
            object_key,
            order_line_id,
            quantity
        from {{ ref('object_links') }}
        where object_type = 'purchase_line'
    ) as links
    left join purchases
        on links.object_key = purchases.purchase_line
    group by links.order_line_id
),

drop_shipped as (
    select
        milestones.* replace (
            milestones.quantity - bought.quantity as quantity
        )
    from milestones
    inner join bought
        on milestones.object_id = bought.order_line_id
    where milestones.milestone = 'drop_ship_ordered' and milestones.object_type = 'order_line'
),

-- What was left when the line was changed: no less than nothing.
left_changes as (
    select
        fact_id,
        list(
            struct_pack(
                change := cast(
                    greatest(quantity - changed_later, 0)
                    - greatest(quantity - changed_later - one.change, 0) as decimal(18, 6)
                ),
                changed_from := one.changed_from,
                changed_to := one.changed_to
            )
            order by nth
        ) as quantity_changes
    from (
        select
            *,
            coalesce(
                sum(one.change) over (
                    partition by fact_id order by nth
                    rows between 1 following and unbounded following
                ),
                0
            ) as changed_later
        from (
            select
                fact_id,
                quantity,
                unnest(quantity_changes) as one,
                generate_subscripts(quantity_changes, 1) as nth
            from drop_shipped
            where quantity_changes is not null
        ) as unnested
    ) as counted
    group by fact_id
),

-- Nobody tells how much of a drop-shipped line our own stock still has to give.
left_to_stock as (
    select
        drop_shipped.* replace (
            drop_shipped.fact_id || '/left_to_stock' as fact_id,
            'left_to_stock' as milestone,
            cast(greatest(drop_shipped.quantity, 0) as decimal(18, 6)) as quantity,
            left_changes.quantity_changes as quantity_changes
        )
    from drop_shipped
    left join left_changes
        on drop_shipped.fact_id = left_changes.fact_id
),

-- Places of warehouses that tell what moves there.
warehouse_places as (
    select distinct places.location_id
    from {{ ref('dim_locations') }} as places
    inner join {{ ref('ledger_beginnings') }} as beginnings
        on places.system = beginnings.system
    where places.role = 'wms'
),

movements as (
    select
        movement_id as fact_id,
        system,
        role,
        entity,
        record_id,
        movement_kind as milestone,
        1 as ordinal,
        'movement' as object_type,
        document as object_id,
        null as order_id,
        null as order_line_id,
        document,
        record_id as own_document,
        null as line_record,
        null as party_id,
        null as party_reference,
        item_id,
        location_id,
        on_hand_change as quantity,
        null as quantity_changes,
        coalesce(occurred_at, recorded_from) as occurred_from,
        coalesce(occurred_at, recorded_to) as occurred_to,
        null as redated_from,
        null as redated_to,
        null as redated_seen_at,
        null as promised_at,
        recorded_from,
        recorded_to,
        reversed_from,
        reversed_to,
        seen_at,
        is_first_load,
        origin,
        echo_kind is not null as is_echo,
        raw_key
    from {{ ref('inventory_movements') }}
    -- What takes back a movement is no movement of its own: the one that it takes back says so.
    where is_reversal is not true
),

-- Nobody tells that a warehouse must know what an ERP posts: that follows from the place. Shipments
-- have rules of their own, and value is no stock.
warehouse_postings as (
    select
        movements.* replace (
            movements.fact_id || '/warehouse_posting' as fact_id,
            'warehouse_posting' as milestone
        )
    from movements
    inner join warehouse_places
        on movements.location_id = warehouse_places.location_id
    where
        movements.role = 'erp'
        and movements.milestone in (
            'receipt', 'adjustment', 'customer_return', 'transfer_out', 'transfer_in',
            'status_change'
        )
),

departures as (
    select distinct
        system,
        object_id,
        item_id
    from movements
    where role = 'wms' and milestone = 'transfer_out' and object_id is not null
),

-- What arrived in one warehouse counts for the other one that sent it.
arrivals_elsewhere as (
    select
        movements.* replace (
            movements.fact_id || '/' || departures.system as fact_id,
            departures.system as system,
            'arrived_elsewhere' as milestone
        )
    from movements
    inner join departures
        on
            movements.object_id = departures.object_id
            and movements.item_id = departures.item_id
            and movements.system <> departures.system
    where movements.role = 'wms' and movements.milestone in ('transfer_in', 'receipt')
)

select * from milestones
union all
select * from wanted_notices
union all
select * from left_to_stock
union all
select * from movements
union all
select * from warehouse_postings
union all
select * from arrivals_elsewhere
