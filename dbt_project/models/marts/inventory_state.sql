-- What there is of each item by place and state: each system's figure beside the canonical one.
{% set roles = ['erp', 'oms', 'wms', 'channel'] -%}

-- The newest word of each role. Instances of one role keep different places; where two name the
-- same one, the fresher wins: adding them up would count the stock twice. Of what one system offers
-- on several channels the highest copy stands here; promise_judgements asks of each.
with newest as (
    select *
    from {{ ref('position_balances') }}
    qualify row_number() over (
            partition by role, item_id, location_id, state
            order by as_of desc, system asc, quantity desc
        ) = 1
),

ranked as (
    select
        newest.*,
        coalesce(newest.role = authorities.authoritative_role, false) as is_authority
    from newest
    left join {{ ref('authorities') }} as authorities
        on
            authorities.object_type = 'position'
            and newest.state = authorities.field
            and newest.system = authorities.a_system
),

told as (
    select
        item_id,
        location_id,
        state,
        'told' as method,
        first(quantity order by is_authority desc, as_of desc, system asc) as canonical_quantity,
        first(system order by is_authority desc, as_of desc, system asc) as canonical_system,
        first(as_of order by is_authority desc, as_of desc, system asc) as as_of,
    {%- for role in roles %}
        max(quantity) filter (where role = '{{ role }}') as {{ role }}_quantity,
        max(as_of) filter (where role = '{{ role }}')
            as {{ role }}_as_of{{ ',' if not loop.last }}
    {%- endfor %}
    from ranked
    group by item_id, location_id, state
),

common_formula as (
    select
        state,
        factor,
        within_days
    from {{ ref('promise_formulas') }}
    where channel = '*'
),

terms as (
    select
        told.*,
        formula.factor
    from told
    left join common_formula as formula
        on told.state = formula.state
),

-- What can be promised now by the formula of all channels. States that nobody tells are none.
on_the_shelf as (
    select
        item_id,
        location_id,
        sum(factor * canonical_quantity) as canonical_quantity,
        max(canonical_system) filter (where state = 'on_hand') as canonical_system,
        min(as_of) filter (where factor is not null) as as_of,
    {%- for role in roles %}
        max({{ role }}_quantity) filter (where state = 'available') as {{ role }}_quantity,
        max({{ role }}_as_of) filter (where state = 'available')
            as {{ role }}_as_of{{ ',' if not loop.last }}
    {%- endfor %}
    from terms
    group by item_id, location_id
    having count(*) filter (where state = 'on_hand') > 0
),

still_to_come as (
    select
        shelf.item_id,
        shelf.location_id,
        sum(formula.factor * supplies.sure_quantity) as canonical_quantity
    from on_the_shelf as shelf
    inner join common_formula as formula
        on formula.state = 'inbound_due'
    inner join {{ ref('inbound_supplies') }} as supplies
        on
            shelf.item_id = supplies.item_id
            and shelf.location_id = supplies.location_id
            and supplies.known_to is null
            and supplies.expected_at <= shelf.as_of + to_days(formula.within_days)
    group by shelf.item_id, shelf.location_id
),

available as (
    select
        shelf.* replace (
            shelf.canonical_quantity + coalesce(still_to_come.canonical_quantity, 0)
                as canonical_quantity
        ),
        'available' as state,
        'computed' as method
    from on_the_shelf as shelf
    left join still_to_come
        on
            shelf.item_id = still_to_come.item_id
            and shelf.location_id = still_to_come.location_id
),

states as (
    select *
    from told
    where
        state <> 'available'
        or not exists (
            select 1
            from available
            where
                available.item_id = told.item_id and available.location_id = told.location_id
        )
    union all by name
    select * from available
),

-- Figures of two moments can't be compared as they stand: the balance rule rolls both to one.
comparisons as (
    select
        item_id,
        location_id,
        rules.a_milestone as state,
        judgements.judged_at,
        cast(judgements.copy_quantity as decimal(38, 6)) - judgements.authority_quantity
            as difference_quantity,
        judgements.explained_quantity,
        judgements.residual_quantity,
        judgements.is_ambiguous
    from {{ ref('balance_judgements') }} as judgements
    inner join {{ ref('rules') }} as rules
        on judgements.rule_id = rules.rule_id and rules.a_role <> rules.b_role
    qualify row_number() over (
            partition by judgements.item_id, judgements.location_id, rules.a_milestone
            order by judgements.judged_at desc, abs(judgements.residual_quantity) desc
        ) = 1
)

select
    states.item_id,
    states.location_id,
    states.state,
    states.method,
    try_cast(states.canonical_quantity as decimal(18, 6)) as canonical_quantity,
    states.canonical_system,
    states.as_of,
    {%- for role in roles %}
        try_cast(states.{{ role }}_quantity as decimal(18, 6)) as {{ role }}_quantity,
        states.{{ role }}_as_of,
    {%- endfor %}
    case
        when comparisons.judged_at is null then 'not_compared'
        when comparisons.is_ambiguous then 'in_motion'
        when comparisons.difference_quantity = 0 then 'agrees'
        when comparisons.residual_quantity = 0 then 'explained'
        else 'differs'
    end as agreement,
    comparisons.judged_at as compared_at,
    try_cast(comparisons.difference_quantity as decimal(18, 6)) as difference_quantity,
    try_cast(comparisons.explained_quantity as decimal(18, 6)) as explained_quantity,
    try_cast(comparisons.residual_quantity as decimal(18, 6)) as residual_quantity
from states
left join comparisons
    on
        states.item_id = comparisons.item_id
        and states.location_id = comparisons.location_id
        and states.state = comparisons.state
