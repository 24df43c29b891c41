-- Payments in Vendure, one row a version.
with landed as (
    {{ versions('vendure', 'payments') }}
)

select
    order_id as order_record,
    order_code as order_number,
    payment_id as payment_record,
    method as payment_method,
    amount,
    currency,
    state,
    transaction_id,
    {{ instant('created_at', 'created') }},
    {{ instant('updated_at', 'updated') }},
    {{ provenance() }}
from landed
