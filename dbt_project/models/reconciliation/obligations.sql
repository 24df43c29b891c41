-- Every duty of every rule, with when it falls due and what ended it. Knows no "now".
with families as (
    select * from {{ ref('obligations_presence') }}
    union all by name
    select * from {{ ref('obligations_agreement') }}
    union all by name
    select * from {{ ref('obligations_uniqueness') }}
    union all by name
    select * from {{ ref('obligations_balance') }}
),

-- What has no order is valued at the list price.
list_prices as (
    select
        item_id,
        list_price,
        currency
    from {{ ref('dim_items') }}
    where list_price is not null
    qualify row_number() over (partition by item_id order by role, system) = 1
),

priced as (
    select
        families.* exclude (item_id),
        coalesce(families.item_id, terms.item_id) as item_id,
        coalesce(terms.unit_price, prices.list_price) as unit_price,
        coalesce(terms.currency, prices.currency) as currency
    from families
    left join {{ ref('order_line_terms') }} as terms
        on families.order_line_id = terms.order_line_id
    left join list_prices as prices
        on families.item_id = prices.item_id
)

select
    {{ identity([
        'priced.rule_id', 'priced.a_system', 'priced.a_record_id', 'priced.milestone',
        'priced.ordinal', 'priced.object_id', 'priced.field',
    ]) }} as obligation_id,
    priced.rule_id,
    rules.family,
    priced.a_system,
    priced.a_record_id,
    priced.milestone,
    priced.ordinal,
    priced.object_type,
    priced.object_id,
    priced.order_id,
    priced.order_line_id,
    priced.document,
    priced.own_document,
    priced.line_record,
    priced.field,
    priced.item_id,
    priced.location_id,
    priced.quantity,
    priced.expected_value,
    priced.observed_value,
    priced.is_linked,
    priced.due_at,
    priced.end_from,
    priced.end_to,
    priced.end_reason,
    -- Two DECIMAL(18,6) multiplied overflow 18 digits already at a million.
    cast(
        cast(abs(priced.quantity) as decimal(38, 6)) * priced.unit_price as decimal(18, 6)
    ) as value_at_risk,
    priced.currency,
    priced.first_seen_at,
    priced.is_first_load,
    priced.raw_key
from priced
inner join {{ ref('rules') }} as rules
    on priced.rule_id = rules.rule_id
