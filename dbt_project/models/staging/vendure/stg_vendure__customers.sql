-- Customers as Vendure knows them, one row a version.
with landed as (
    {{ versions('vendure', 'customers') }}
)

select
    customer_id as customer_record,
    email as customer_email,
    first_name,
    last_name,
    {{ instant('created_at', 'created') }},
    {{ instant('updated_at', 'updated') }},
    {{ provenance() }}
from landed
