-- What the domain wants compared, which rows of the catalogue see to it, and what they found.
with seen_to as (
    select
        domain_rule_id,
        unnest({{ list_of('rule_ids') }}) as rule_id
    from {{ ref('domain_rules') }}
),

found as (
    select
        seen_to.domain_rule_id,
        bool_or(catalogue.is_configured) as is_configured,
        sum(catalogue.open_count) as open_count,
        sum(catalogue.pending_count) as pending_count,
        sum(catalogue.closed_count) as closed_count
    from seen_to
    inner join {{ ref('rule_catalogue') }} as catalogue
        on seen_to.rule_id = catalogue.rule_id
    group by seen_to.domain_rule_id
)

select
    domain.domain_rule_id,
    domain.compares,
    domain.status,
    domain.rule_ids,
    domain.reason,
    coalesce(found.is_configured, false) as is_configured,
    cast(coalesce(found.open_count, 0) as bigint) as open_count,
    cast(coalesce(found.pending_count, 0) as bigint) as pending_count,
    cast(coalesce(found.closed_count, 0) as bigint) as closed_count
from {{ ref('domain_rules') }} as domain
left join found
    on domain.domain_rule_id = found.domain_rule_id
order by domain.domain_rule_id
