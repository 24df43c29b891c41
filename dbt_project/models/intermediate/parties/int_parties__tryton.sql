-- Parties as Tryton codes them; what they are to us shows when they trade.
with known as (
    select
        system,
        party_code,
        cast(null as varchar) as party_type,
        updated_at as recorded_at
    from {{ ref('stg_tryton__parties') }}
    union all
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
    union all
    select
        system,
        party_code,
        'vendor' as party_type,
        received_at as recorded_at
    from {{ ref('stg_tryton__receipt_lines') }}
)

select
    system,
    party_code as party_id,
    party_code as source_party,
    min(party_type) as party_type,
    'same_code' as method,
    min(recorded_at) as first_recorded_at
from known
where party_code is not null
group by system, party_code
