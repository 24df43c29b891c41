-- Customers and vendors as Tryton codes them.
with traded as (
    select
        system,
        party_code,
        'customer' as party_type,
        quoted_at as recorded_at
    from {{ ref('stg_tryton__sale_lines') }}
    union all
    select
        system,
        party_code,
        'vendor' as party_type,
        confirmed_at as recorded_at
    from {{ ref('stg_tryton__purchase_lines') }}
)

select
    system,
    party_code as party_id,
    party_code as source_party,
    min(party_type) as party_type,
    'same_code' as method,
    min(recorded_at) as first_recorded_at
from traded
where party_code is not null
group by system, party_code
