-- Why two balances differ, document by document, as of the moment to which both were last rolled.
-- The parts of a position add up to its difference exactly.
{{ config(materialized='view') }}

with judged as (
    select
        judgements.*,
        case
            when judgements.copy_system = judgements.a_system then judgements.b_system
            else judgements.a_system
        end as authority_system
    from {{ ref('balance_judgements') }} as judgements
    inner join {{ ref('rules') }} as rules
        on judgements.rule_id = rules.rule_id and rules.a_role <> rules.b_role
    qualify row_number() over (
            partition by
                judgements.rule_id, judgements.a_system, judgements.b_system,
                judgements.item_id, judgements.location_id
            order by judgements.judged_at desc
        ) = 1
),

-- Every movement that had happened by then, on its side. What our own adjustment moved has no
-- document behind it and stays in the rest.
posted as (
    select
        judged.rule_id,
        judged.a_system,
        judged.b_system,
        judged.item_id,
        judged.location_id,
        ledger.document,
        ledger.role,
        ledger.movement_kind,
        ledger.recorded_to,
        ledger.explained_change,
        ledger.system = judged.copy_system as is_copy
    from judged
    inner join {{ ref('stock_ledger') }} as ledger
        on
            ledger.system in (judged.copy_system, judged.authority_system)
            and judged.state = ledger.state
            and judged.item_id = ledger.item_id
            and judged.location_id = ledger.location_id
            and judged.judged_at >= ledger.recorded_to
    -- What is from before the other side's ledger began that side can't tell. Joined by equality
    -- alone: with "one of both sides" every movement was compared with every such one.
    left join {{ ref('unshared_movements') }} as unshared
        on
            ledger.movement_id = unshared.movement_id
            and ledger.state = unshared.state
            and case
                when judged.copy_system = ledger.system then judged.authority_system
                else judged.copy_system
            end
            = unshared.other_system
    where ledger.explained_change <> 0 and unshared.movement_id is null
),

documents as (
    select
        rule_id,
        a_system,
        b_system,
        item_id,
        location_id,
        document,
        coalesce(sum(explained_change) filter (where is_copy), 0) as copy_change,
        coalesce(sum(explained_change) filter (where not is_copy), 0) as authority_change,
        count(*) filter (where is_copy) as copy_movements,
        count(*) filter (where not is_copy) as authority_movements,
        bool_and(movement_kind = 'status_change') as is_status_change,
        arg_max(role, recorded_to) as last_role,
        arg_max(movement_kind, recorded_to) as last_kind,
        max(recorded_to) as last_recorded_at
    from posted
    group by rule_id, a_system, b_system, item_id, location_id, document
    having
        coalesce(sum(explained_change) filter (where is_copy), 0)
        <> coalesce(sum(explained_change) filter (where not is_copy), 0)
),

-- How long the other side may take is what the rule says that waits for it.
waits as (
    select
        a_role as role,
        unnest({{ list_of('a_milestone') }}) as milestone,
        grace_minutes
    from {{ ref('rules_in_force') }}
    where family = 'presence' and due_from = 'recorded' and a_role <> b_role
),

graces as (
    select
        role,
        milestone,
        min(grace_minutes) as grace_minutes
    from waits
    group by role, milestone
),

factors as (
    {{ unit_factors_of_items() }}
),

parts as (
    select
        judged.rule_id,
        judged.a_system,
        judged.b_system,
        judged.copy_system,
        judged.authority_system,
        judged.judged_at,
        judged.is_ambiguous,
        judged.state,
        judged.item_id,
        judged.location_id,
        documents.document,
        documents.last_kind as movement_kind,
        documents.copy_change,
        documents.authority_change,
        documents.copy_change - documents.authority_change as difference_quantity,
        case
            when
                documents.last_recorded_at + to_minutes(coalesce(graces.grace_minutes, 0))
                > judged.judged_at
                then 'in_flight'
            when documents.is_status_change then 'wrong_state'
            when documents.copy_movements = 0 then 'lost'
            when documents.authority_movements = 0 then 'unbacked'
            when
                documents.copy_movements = documents.authority_movements
                and list_contains(
                    list_transform(
                        factors.unit_factors,
                        lambda unit: {{ are_apart_by(
                            'documents.copy_change', 'documents.authority_change', 'unit'
                        ) }}
                    ),
                    true
                )
                then 'unit_multiple'
            when
                documents.copy_movements > documents.authority_movements
                and abs(documents.copy_change) > abs(documents.authority_change)
                and sign(documents.copy_change) = sign(documents.authority_change)
                then 'doubled'
            else 'quantity'
        end as cause
    from documents
    inner join judged
        on
            documents.rule_id = judged.rule_id
            and documents.a_system = judged.a_system
            and documents.b_system = judged.b_system
            and documents.item_id = judged.item_id
            and documents.location_id = judged.location_id
    left join graces
        on
            documents.last_role = graces.role
            and case documents.last_kind when 'shipment' then 'shipped' else documents.last_kind end
            = graces.milestone
    left join factors
        on documents.item_id = factors.item_id
    union all by name
    select
        judged.rule_id,
        judged.a_system,
        judged.b_system,
        judged.copy_system,
        judged.authority_system,
        judged.judged_at,
        judged.is_ambiguous,
        judged.state,
        judged.item_id,
        judged.location_id,
        judged.residual_quantity as difference_quantity,
        case
            when {{ is_whole_units('judged.residual_quantity', 'factors.unit_factors') }}
                then 'unit_multiple'
            else 'residual'
        end as cause
    from judged
    left join factors
        on judged.item_id = factors.item_id
    where judged.residual_quantity <> 0
)

select
    rule_id,
    copy_system,
    authority_system,
    judged_at,
    state,
    item_id,
    location_id,
    cause,
    document,
    movement_kind,
    try_cast(copy_change as decimal(18, 6)) as copy_change,
    try_cast(authority_change as decimal(18, 6)) as authority_change,
    try_cast(difference_quantity as decimal(18, 6)) as difference_quantity,
    is_ambiguous
from parts
