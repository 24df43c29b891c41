-- Customers as Vendure names them: by their address.
select
    system,
    customer_email as party_id,
    customer_email as source_party,
    'customer' as party_type,
    'same_code' as method,
    min(created_at) as first_recorded_at
from {{ ref('stg_vendure__customers') }}
group by system, customer_email
