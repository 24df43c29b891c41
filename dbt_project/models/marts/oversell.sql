-- What channels offer and nobody can promise, by the newest judgement, with the orders that wait
-- for the same goods: those are the promises at stake.
{{ config(materialized='view') }}

with newest as (
    select *
    from {{ ref('promise_judgements') }}
    qualify row_number() over (
            partition by a_system, channel, b_system, item_id, location_id
            -- Of one offer it is also judged whether it is too little.
            order by judged_at desc, residual_quantity desc
        ) = 1
),

waiting as (
    select
        item_id,
        location_id,
        sum(open_quantity) as waiting_quantity,
        list(order_line_id order by promised_at asc nulls last, waits_since asc, order_line_id asc)
            as order_line_ids
    from {{ ref('open_order_lines') }}
    group by item_id, location_id
)

select
    newest.a_system as channel_system,
    newest.channel,
    newest.b_system as warehouse_system,
    newest.item_id,
    newest.location_id,
    newest.judged_at,
    newest.copy_quantity as offered_quantity,
    try_cast(newest.copy_quantity - newest.residual_quantity as decimal(18, 6))
        as promisable_quantity,
    newest.residual_quantity as oversold_quantity,
    try_cast(coalesce(waiting.waiting_quantity, 0) as decimal(18, 6)) as waiting_quantity,
    coalesce(waiting.order_line_ids, []) as order_line_ids,
    newest.copy_raw_key as raw_key
from newest
left join waiting
    on newest.item_id = waiting.item_id and newest.location_id = waiting.location_id
where newest.residual_quantity > 0
