-- Family balance: two balances must agree once all movements are counted, or one must be possible,
-- in two snapshots running. Each channel's offer of a position is judged by itself.
{{ config(materialized='view') }}

with compared as (
    select
        rule_id,
        a_system,
        b_system,
        state,
        item_id,
        location_id,
        judged_at,
        copy_record_id,
        copy_seen_at,
        copy_raw_key,
        copy_quantity,
        residual_quantity,
        is_ambiguous
    from {{ ref('balance_judgements') }}
),

factors as (
    {{ unit_factors_of_items() }}
),

-- The rules about whole packs look at the differences that another rule about the same two balances
-- found.
pack_rules as (
    select
        packs.rule_id,
        balances.rule_id as compared_rule_id
    from {{ ref('rules_in_force') }} as packs
    inner join {{ ref('rules_in_force') }} as balances
        on
            packs.family = balances.family
            and packs.object_type = balances.object_type
            and packs.a_role = balances.a_role
            and packs.a_milestone = balances.a_milestone
            and packs.b_role = balances.b_role
            and packs.b_milestone = balances.b_milestone
            and balances.cover is null
    where packs.cover = 'whole_packs'
),

-- Nearly no position ever differs by whole packs: the rest is not looked at again.
in_packs as (
    select distinct
        pack_rules.rule_id,
        pack_rules.compared_rule_id,
        compared.a_system,
        compared.b_system,
        compared.item_id,
        compared.location_id,
        factors.unit_factors
    from compared
    inner join pack_rules
        on compared.rule_id = pack_rules.compared_rule_id
    inner join factors
        on compared.item_id = factors.item_id
    where
        compared.residual_quantity <> 0
        and {{ is_whole_units('compared.residual_quantity', 'factors.unit_factors') }}
),

pack_judgements as (
    select
        compared.* replace (
            in_packs.rule_id as rule_id,
            case
                when {{ is_whole_units('compared.residual_quantity', 'in_packs.unit_factors') }}
                    then compared.residual_quantity
                else 0
            end as residual_quantity
        )
    from compared
    inner join in_packs
        on
            compared.rule_id = in_packs.compared_rule_id
            and compared.a_system = in_packs.a_system
            and compared.b_system = in_packs.b_system
            and compared.item_id = in_packs.item_id
            and compared.location_id = in_packs.location_id
),

all_judgements as (
    select * from compared
    union all by name
    select * from pack_judgements
    union all by name
    select * from {{ ref('floor_judgements') }}
    union all by name
    select * from {{ ref('promise_judgements') }}
),

judgements as (
    select
        *,
        residual_quantity <> 0 as is_different
    from all_judgements
    -- A movement that may fall on either side of a moment proves nothing.
    where not is_ambiguous
),

runs as (
    select
        *,
        count_if(starts_run) over (
            partition by rule_id, a_system, b_system, item_id, location_id, channel
            order by judged_at
        ) as run
    from (
        select
            *,
            coalesce(
                is_different <> lag(is_different) over (
                    partition by rule_id, a_system, b_system, item_id, location_id, channel
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
        channel,
        run,
        any_value(state) as state,
        bool_or(is_different) as is_different,
        min(judged_at) as began_at,
        list_extract(list(judged_at order by judged_at), 2) as confirmed_at,
        arg_max(residual_quantity, judged_at) as residual_quantity,
        arg_max(copy_quantity, judged_at) as copy_quantity,
        -- The difference goes by this name: it keeps it when the position changes records.
        arg_min(copy_record_id, judged_at) as copy_record_id,
        min(copy_seen_at) as first_seen_at,
        arg_max(copy_raw_key, judged_at) as raw_key
    from runs
    group by rule_id, a_system, b_system, item_id, location_id, channel, run
),

with_end as (
    select
        *,
        lead(began_at) over (
            partition by rule_id, a_system, b_system, item_id, location_id, channel order by run
        ) as ended_at
    from episodes
)

select
    with_end.rule_id,
    with_end.a_system,
    with_end.b_system,
    with_end.copy_record_id as a_record_id,
    with_end.state as milestone,
    cast(row_number() over (
        partition by
            with_end.rule_id, with_end.a_system, with_end.b_system, with_end.item_id,
            with_end.location_id, with_end.channel
        order by with_end.run
    ) as integer) as ordinal,
    'position' as object_type,
    with_end.item_id || '@' || with_end.location_id as object_id,
    cast(null as varchar) as order_id,
    cast(null as varchar) as order_line_id,
    cast(null as varchar) as document,
    cast(null as varchar) as own_document,
    cast(null as varchar) as line_record,
    with_end.state as field,
    with_end.item_id,
    with_end.location_id,
    with_end.residual_quantity as quantity,
    cast(with_end.copy_quantity - with_end.residual_quantity as varchar) as expected_value,
    cast(with_end.copy_quantity as varchar) as observed_value,
    true as is_linked,
    -- Null as long as nothing confirms it.
    case
        when with_end.confirmed_at is not null
            then greatest(
                    with_end.confirmed_at,
                    with_end.began_at + to_minutes(coalesce(rules.grace_minutes, 0))
                )
    end as due_at,
    with_end.ended_at as end_from,
    with_end.ended_at as end_to,
    case when with_end.ended_at is not null then 'agreed' end as end_reason,
    with_end.first_seen_at,
    false as is_first_load,
    with_end.raw_key
from with_end
left join {{ ref('rules_in_force') }} as rules
    on with_end.rule_id = rules.rule_id
-- What the next snapshot no longer showed was no difference.
where
    with_end.is_different
    and (with_end.confirmed_at is not null or with_end.ended_at is null)
