-- The life of every order line: its milestones, where it stands, and what is due next and when.
with drop_ships as (
    select distinct order_line_id
    from {{ ref('order_events') }}
    where milestone = 'drop_ship_ordered' and reversed_to is null
),

standing_events as (
    select
        events.*,
        authorities.authoritative_role
    from {{ ref('order_events') }} as events
    left join drop_ships
        on events.order_line_id = drop_ships.order_line_id
    left join {{ ref('authorities') }} as authorities
        on
            authorities.object_type = 'order_line'
            -- Whether it has shipped, somebody else decides of what a supplier ships.
            and case
                when events.milestone = 'shipped' and drop_ships.order_line_id is not null
                    then 'drop_shipped'
                else events.milestone
            end = authorities.field
            and events.system = authorities.a_system
    where
        events.object_type = 'order_line'
        and events.order_line_id is not null
        and events.reversed_to is null
),

known_by as (
    select distinct
        order_line_id,
        role
    from standing_events
),

-- Of a line that the authority knows, it decides: its silence then means "not yet".
told as (
    select standing_events.*
    from standing_events
    left join known_by
        on
            standing_events.order_line_id = known_by.order_line_id
            and standing_events.authoritative_role = known_by.role
    where known_by.role is null or standing_events.role = standing_events.authoritative_role
),

role_quantities as (
    select
        order_line_id,
        role,
        milestone,
        sum(quantity) as quantity
    from told
    where milestone in ('shipped', 'delivered', 'invoiced')
    group by order_line_id, role, milestone
),

-- Where nobody decides, several roles may tell of one quantity; adding them up would double it.
quantities as (
    select
        order_line_id,
        max(quantity) filter (where milestone = 'shipped') as shipped_quantity,
        max(quantity) filter (where milestone = 'delivered') as delivered_quantity,
        max(quantity) filter (where milestone = 'invoiced') as invoiced_quantity
    from role_quantities
    group by order_line_id
),

milestone_times as (
    select
        order_line_id,
        any_value(order_id) as order_id,
        {%- for milestone in milestones() %}
            min(occurred_at) filter (where milestone = '{{ milestone }}') as {{ milestone }}_at,
        {%- endfor %}
        max(occurred_at) as last_event_at
    from told
    where milestone <> 'unmapped'
    group by order_line_id
),

-- Who ordered what: in the words of the system with which the order began.
descriptions as (
    select
        order_line_id,
        party_id,
        quantity as ordered_quantity
    from {{ ref('order_events') }}
    where milestone in ('captured', 'ordered') and order_line_id is not null
    qualify row_number() over (
            partition by order_line_id
            order by reversed_to is not null, role <> 'oms', recorded_to, event_id
        ) = 1
),

goods as (
    select
        order_line_id,
        arg_min(item_id, recorded_to) as item_id,
        arg_min(location_id, recorded_to) as location_id
    from standing_events
    group by order_line_id
),

packages as (
    select distinct
        object_key,
        order_line_id
    from {{ ref('object_links') }}
    where object_type = 'package' and certainty = 'certain'
),

-- What is amiss with a package is amiss with the lines inside it.
concerns as (
    select
        exceptions.*
        replace (coalesce(exceptions.order_line_id, packages.order_line_id) as order_line_id)
    from {{ ref('judged_exceptions') }} as exceptions
    left join packages
        on exceptions.object_type = 'package' and exceptions.object_id = packages.object_key
    where exceptions.status in ('open', 'pending')
),

open_counts as (
    select
        order_line_id,
        count(distinct obligation_id) as open_exception_count
    from concerns
    where status = 'open' and order_line_id is not null
    group by order_line_id
),

next_duties as (
    select
        concerns.order_line_id,
        concerns.rule_id,
        concerns.due_at,
        rules.b_role,
        rules.b_milestone
    from concerns
    inner join {{ ref('rules') }} as rules
        on concerns.rule_id = rules.rule_id
    where concerns.order_line_id is not null and concerns.end_to is null
    qualify row_number() over (
            partition by concerns.order_line_id
            order by concerns.due_at nulls last, concerns.rule_id, concerns.obligation_id
        ) = 1
)

select
    times.order_line_id,
    times.order_id,
    descriptions.party_id,
    coalesce(terms.item_id, goods.item_id) as item_id,
    goods.location_id,
    case
        when times.cancelled_at is not null and times.shipped_at is null then 'cancelled'
        when
            times.shipped_at is not null
            and quantities.shipped_quantity < descriptions.ordered_quantity
            and times.delivered_at is null
            then 'part_shipped'
        when
            times.delivered_at is not null
            and quantities.delivered_quantity < descriptions.ordered_quantity
            and times.return_authorised_at is null
            then 'part_delivered'
        {%- for milestone in states_furthest_first() %}
            when times.{{ milestone }}_at is not null then '{{ milestone }}'
        {%- endfor %}
        else 'unknown'
    end as current_state,
    cast(descriptions.ordered_quantity as decimal(18, 6)) as ordered_quantity,
    try_cast(quantities.shipped_quantity as decimal(18, 6)) as shipped_quantity,
    try_cast(quantities.delivered_quantity as decimal(18, 6)) as delivered_quantity,
    try_cast(quantities.invoiced_quantity as decimal(18, 6)) as invoiced_quantity,
    terms.unit_price,
    -- Two DECIMAL(18,6) multiplied overflow 18 digits already at a million.
    try_cast(
        cast(descriptions.ordered_quantity as decimal(38, 6)) * terms.unit_price
        as decimal(18, 6)
    ) as line_value,
    terms.currency,
    {%- for milestone in milestones() %}
        times.{{ milestone }}_at,
    {%- endfor %}
    times.last_event_at,
    next_duties.rule_id as next_due_rule_id,
    next_duties.b_role as next_due_role,
    next_duties.b_milestone as next_due_milestone,
    next_duties.due_at as next_due_at,
    coalesce(open_counts.open_exception_count, 0) as open_exception_count
from milestone_times as times
left join quantities
    on times.order_line_id = quantities.order_line_id
left join descriptions
    on times.order_line_id = descriptions.order_line_id
left join goods
    on times.order_line_id = goods.order_line_id
left join {{ ref('order_line_terms') }} as terms
    on times.order_line_id = terms.order_line_id
left join next_duties
    on times.order_line_id = next_duties.order_line_id
left join open_counts
    on times.order_line_id = open_counts.order_line_id
