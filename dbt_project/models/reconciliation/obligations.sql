-- Every duty of every rule, with when it falls due and what ended it. Knows no "now". What was met
-- before it arose (invoiced after it had shipped) never was a duty: that is more than half of all.
with families as (
    select
        'presence' as family,
        *
    from {{ ref('obligations_presence') }}
    union all by name
    select
        'agreement' as family,
        *
    from {{ ref('obligations_agreement') }}
    union all by name
    select
        'uniqueness' as family,
        *
    from {{ ref('obligations_uniqueness') }}
    union all by name
    select
        'balance' as family,
        *
    from {{ ref('obligations_balance') }}
    union all by name
    select
        'sequence' as family,
        *
    from {{ ref('obligations_sequence') }}
    union all by name
    select
        'feed' as family,
        *
    from {{ ref('obligations_feed') }}
),

arisen as (
    select families.*
    from families
    inner join {{ ref('rules_in_force') }} as rules
        on families.rule_id = rules.rule_id
    where
        rules.due_from <> 'recorded'
        or coalesce(
            families.end_to > families.due_at - to_minutes(rules.grace_minutes), true
        )
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

-- What a package holds is worth the lines in it, whoever told its packing list.
package_values as (
    select
        links.object_type,
        links.object_key as object_id,
        case
            when count(distinct terms.currency) = 1
                then sum(cast(links.quantity as decimal(38, 6)) * terms.unit_price)
        end as package_value,
        case when count(distinct terms.currency) = 1 then any_value(terms.currency) end as currency
    from {{ ref('object_link_scopes') }} as links
    inner join {{ ref('order_line_terms') }} as terms
        on links.order_line_id = terms.order_line_id
    where links.scope = '*' and links.object_type = 'package'
    group by links.object_type, links.object_key
),

priced as (
    select
        arisen.* exclude (item_id, document_value, document_currency),
        coalesce(arisen.item_id, terms.item_id) as item_id,
        coalesce(
            arisen.document_currency, packages.currency, terms.currency, prices.currency
        ) as currency,
        -- Two DECIMAL(18,6) multiplied overflow 18 digits already at a million.
        case
            when arisen.family = 'uniqueness' and arisen.document_value is not null
                then arisen.document_value
            when arisen.object_type = 'package' then packages.package_value
            -- Of a price, the quantity column holds the difference for one unit.
            when fields.worth = 'price'
                then cast(arisen.quantity as decimal(38, 6)) * terms.ordered_quantity
            when fields.worth = 'amount' then cast(abs(arisen.quantity) as decimal(38, 6))
            when fields.worth = 'none' then null
            else
                cast(abs(arisen.quantity) as decimal(38, 6))
                * coalesce(terms.unit_price, prices.list_price)
        end as value_at_risk
    from arisen
    left join {{ ref('order_line_terms') }} as terms
        on arisen.order_line_id = terms.order_line_id
    left join {{ ref('compared_fields') }} as fields
        on arisen.rule_id = fields.rule_id and arisen.field = fields.field
    left join list_prices as prices
        on arisen.item_id = prices.item_id
    left join package_values as packages
        on arisen.object_type = packages.object_type and arisen.object_id = packages.object_id
)

-- A's record is held against each counterpart by itself, so the counterpart is always a part of the
-- name: one left out while it is the only one would be called anew as soon as a second came.
select
    {{ identity([
        'priced.rule_id',
        'priced.a_system',
        "priced.a_record_id || coalesce('|' || nullif(priced.b_system, priced.a_system), '')",
        'priced.milestone',
        'priced.ordinal',
        'priced.object_id',
        'priced.field',
    ]) }} as obligation_id,
    priced.rule_id,
    priced.family,
    priced.a_system,
    priced.b_system,
    priced.entity,
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
    {{ held_value('priced.value_at_risk') }} as value_at_risk,
    priced.currency,
    priced.first_seen_at,
    priced.is_first_load,
    priced.raw_key
from priced
