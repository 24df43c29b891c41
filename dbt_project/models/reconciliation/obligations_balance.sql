-- Family balance: two balances must agree once all movements are counted, in two snapshots running.
{{ config(materialized='view') }}

with judgements as (
    select
        *,
        residual_quantity <> 0 as is_different
    from {{ ref('balance_judgements') }}
    -- A movement that may fall on either side of a moment proves nothing.
    where not is_ambiguous
),

runs as (
    select
        *,
        count_if(starts_run) over (
            partition by rule_id, a_system, b_system, item_id, location_id
            order by judged_at
        ) as run
    from (
        select
            *,
            coalesce(
                is_different <> lag(is_different) over (
                    partition by rule_id, a_system, b_system, item_id, location_id
                    order by judged_at
                ),
                true
            ) as starts_run
        from judgements
    ) as marked
),

episodes as (
    select
        rule_id,
        a_system,
        b_system,
        item_id,
        location_id,
        run,
        bool_or(is_different) as is_different,
        min(judged_at) as began_at,
        list_extract(list(judged_at order by judged_at), 2) as confirmed_at,
        arg_max(residual_quantity, judged_at) as residual_quantity,
        arg_max(copy_quantity, judged_at) as copy_quantity,
        arg_max(copy_record_id, judged_at) as copy_record_id,
        min(copy_seen_at) as first_seen_at,
        arg_max(copy_raw_key, judged_at) as raw_key
    from runs
    group by rule_id, a_system, b_system, item_id, location_id, run
),

with_end as (
    select
        *,
        lead(began_at) over (
            partition by rule_id, a_system, b_system, item_id, location_id order by run
        ) as ended_at
    from episodes
)

select
    rule_id,
    a_system,
    copy_record_id as a_record_id,
    'on_hand' as milestone,
    cast(row_number() over (
        partition by rule_id, a_system, b_system, item_id, location_id order by run
    ) as integer) as ordinal,
    'position' as object_type,
    item_id || '@' || location_id as object_id,
    cast(null as varchar) as order_id,
    cast(null as varchar) as order_line_id,
    cast(null as varchar) as document,
    cast(null as varchar) as own_document,
    cast(null as varchar) as line_record,
    'on_hand' as field,
    item_id,
    location_id,
    residual_quantity as quantity,
    cast(copy_quantity - residual_quantity as varchar) as expected_value,
    cast(copy_quantity as varchar) as observed_value,
    true as is_linked,
    confirmed_at as due_at,
    ended_at as end_from,
    ended_at as end_to,
    case when ended_at is not null then 'agreed' end as end_reason,
    first_seen_at,
    false as is_first_load,
    raw_key
from with_end
-- What the next snapshot no longer showed was no difference.
where is_different and (confirmed_at is not null or ended_at is null)
