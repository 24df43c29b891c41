-- Customers as the demo ERP numbers them: the OMS's code without its letter.
select
    system,
    'C' || customer_number as party_id,
    customer_number as source_party,
    'customer' as party_type,
    'pattern' as method,
    min(entered_at) as first_recorded_at
from {{ ref('stg_demo_erp__sales_order_lines') }}
where customer_number is not null
group by system, customer_number
