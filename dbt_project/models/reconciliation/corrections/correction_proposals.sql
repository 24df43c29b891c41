-- What should be changed where, to what, and under which preconditions: one row a correction.
{% set kinds = [
    'fix_erp__create_order',
    'fix_erp__cancel_order',
    'fix_erp__cancel_line',
    'fix_erp__update_price',
    'fix_erp__update_quantity',
    'fix_erp__create_fulfilment',
    'fix_erp__adjust_fulfilment',
    'fix_erp__reverse_fulfilment',
    'fix_erp__create_invoice',
    'fix_erp__create_credit',
    'fix_erp__void_invoice',
    'fix_erp__post_movement',
    'fix_erp__adjust_stock',
    'fix_oms__update_price',
    'fix_oms__update_quantity',
    'fix_oms__set_delivered',
    'fix_wms__create_warehouse_order',
    'fix_wms__set_pack',
] %}

with corrections as (
    {{ union_of(kinds) }}
),

-- Who is told, of what, from which value to which; never why. Two rules that want the same change
-- want one correction.
keyed as (
    select
        *,
        {{ identity(['target_system', 'object_id', 'kind', 'new_value', 'old_value']) }}
            as proposal_key
    from corrections
),

merged as (
    select
        * replace (
            list_sort(list_distinct(flatten(list(obligation_ids) over same_change)))
                as obligation_ids
        ),
        row_number() over (partition by proposal_key order by rule_id) as nth
    from keyed
    window same_change as (partition by proposal_key)
),

grouped as (
    select
        merged.* exclude (nth),
        kinds.kind_group
    from merged
    inner join {{ ref('correction_kinds') }} as kinds
        on merged.kind = kinds.kind and merged.target_role = kinds.target_role
    where merged.nth = 1
),

-- What somebody undoes again and again is not set once more, nor is anything that two systems fight
-- over: who is right is for people to say.
frozen as (
    select
        coalesce(
            list(a_system || '/' || object_id) filter (where milestone <> 'fighting_systems'), []
        ) as objects,
        coalesce(list(object_id) filter (where milestone = 'fighting_systems'), []) as pairs
    from {{ ref('judged_exceptions') }}
    where
        family = 'feed'
        and milestone in ('flip_flop', 'repeated_correction', 'fighting_systems')
        and status = 'open'
),

-- Different wishes for one thing in one place, or one wish that several places could fulfil.
conflicting as (
    select
        *,
        count(*) over (partition by target_system, target_object, kind_group) > 1
        or min(target_system) over same_wish <> max(target_system) over same_wish
        or list_contains(frozen.objects, grouped.target_system || '/' || grouped.object_id)
            as is_conflict,
        list_intersect(
            list_transform(
                cast(json_extract_string(grouped.preconditions, '$[*].system') as varchar[]),
                lambda relied_on:
                {{ pair_name('grouped.target_system', 'relied_on', 'grouped.kind_group') }}
            ),
            frozen.pairs
        )[1] as frozen_pair
    from grouped
    cross join frozen
    window same_wish as (partition by kind, object_id, obligation_ids)
),

judged as (
    select
        conflicting.*,
        case
            when conflicting.frozen_pair is not null
                then
                    'corrections between ' || conflicting.frozen_pair
                    || ' are undone again and again: check the authority matrix'
            when
                list_contains(
                    list_transform(
                        string_split(coalesce(policy.approval_kinds, ''), ','),
                        lambda approval_kind: trim(approval_kind)
                    ),
                    conflicting.kind
                )
                then 'every ' || conflicting.kind || ' needs approval'
            when abs(conflicting.value_at_risk) > policy.approval_above
                then
                    'value at risk ' || {{ exact_text('conflicting.value_at_risk') }}
                    || ' is above ' || {{ exact_text('policy.approval_above') }}
                    || coalesce(' ' || conflicting.currency, '')
            when conflicting.has_several_currencies
                then 'value at risk in several currencies, which makes no sum'
        end as approval_reason
    from conflicting
    cross join {{ source('config', 'policy') }} as policy
)

select
    proposal_key,
    rule_id,
    obligation_ids,
    object_type,
    object_id,
    order_id,
    order_line_id,
    target_system,
    target_role,
    target_object,
    kind,
    old_value,
    new_value,
    payload,
    preconditions,
    {{ held_value('value_at_risk') }} as value_at_risk,
    currency,
    approval_reason is not null as needs_approval,
    approval_reason,
    is_conflict as conflict,
    first_sighting_at,
    frontier_at
from judged
