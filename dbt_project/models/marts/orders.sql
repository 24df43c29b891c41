-- Orders, rolled up from their lines; a time "of all lines" is null until the last line has it.
with lines as (
    select
        *,
        current_state <> 'cancelled' as is_live,
        -- Nothing more is to come: all of it has, or the rest is cancelled.
        shipped_at is not null
        and coalesce(shipped_quantity >= ordered_quantity or cancelled_at is not null, true)
            as is_shipped,
        delivered_at is not null
        and coalesce(delivered_quantity >= ordered_quantity or cancelled_at is not null, true)
            as is_delivered
    from {{ ref('order_lifecycle') }}
),

-- An order that was entered to replace lines of another one is no new business of the customer's.
replacements as (
    select
        regexp_extract(object_key, '^(.*)/[^/]*$', 1) as order_id,
        min(order_id) as replaces_order_id
    from {{ ref('object_links') }}
    where object_type = 'replacement' and certainty = 'certain'
    group by all
)

select
    lines.order_id,
    any_value(lines.party_id) as party_id,
    any_value(replacements.replaces_order_id) as replaces_order_id,
    count(*) as line_count,
    count(*) filter (where not is_live) as cancelled_line_count,
    count(*) filter (where is_live and shipped_at is not null) as shipped_line_count,
    count(*) filter (where is_live and delivered_at is not null) as delivered_line_count,
    count(*) filter (where is_live and invoiced_at is not null) as invoiced_line_count,
    case
        when count(*) filter (where is_live) = 0 then 'cancelled'
        -- What came back had been delivered.
        when count(*) filter (where is_live and not is_delivered) = 0 then 'delivered'
        when count(*) filter (where is_live and not is_shipped) = 0 then 'shipped'
        when count(*) filter (where is_live and shipped_at is not null) > 0 then 'part_shipped'
        when count(*) filter (where is_live and released_at is not null) > 0 then 'released'
        when count(*) filter (where is_live and accepted_at is not null) > 0 then 'accepted'
        else 'captured'
    end as current_state,
    -- Never summed across currencies.
    case
        when min(currency) = max(currency) and count(line_value) = count(*)
            then sum(line_value)
    end as order_value,
    case when min(currency) = max(currency) then min(currency) end as currency,
    min(coalesce(captured_at, ordered_at)) as captured_at,
    min(accepted_at) as first_accepted_at,
    min(released_at) as first_released_at,
    min(shipped_at) as first_shipped_at,
    case
        when count(*) filter (where is_live and not is_shipped) = 0
            then max(shipped_at) filter (where is_live)
    end as all_shipped_at,
    case
        when count(*) filter (where is_live and not is_delivered) = 0
            then max(delivered_at) filter (where is_live)
    end as all_delivered_at,
    case
        when count(*) filter (where is_live and invoiced_at is null) = 0
            then max(invoiced_at) filter (where is_live)
    end as all_invoiced_at,
    max(last_event_at) as last_event_at,
    -- Of several that fall due together always the same one.
    arg_min(next_due_rule_id, (next_due_at, order_line_id)) filter (
        where next_due_at is not null
    ) as next_due_rule_id,
    arg_min(order_line_id, (next_due_at, order_line_id)) filter (
        where next_due_at is not null
    ) as next_due_order_line_id,
    min(next_due_at) as next_due_at,
    cast(sum(open_exception_count) as bigint) as open_exception_count
from lines
left join replacements
    on lines.order_id = replacements.order_id
where lines.order_id is not null
group by lines.order_id
