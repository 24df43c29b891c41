-- Customers as the demo OMS names them.
select
    system,
    customer_ref as party_id,
    customer_ref as source_party,
    'customer' as party_type,
    'same_code' as method,
    min(placed_at) as first_recorded_at
from {{ ref('stg_demo_oms__order_lines') }}
where customer_ref is not null
group by system, customer_ref
