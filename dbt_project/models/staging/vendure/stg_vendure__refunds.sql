-- Refunds in Vendure, one row a version.
with landed as (
    {{ versions('vendure', 'refunds') }}
)

select
    order_id as order_record,
    order_code as order_number,
    payment_id as payment_record,
    refund_id as refund_record,
    total as amount,
    currency,
    state,
    reason,
    transaction_id,
    {{ instant('created_at', 'created') }},
    {{ instant('updated_at', 'updated') }},
    {{ provenance() }}
from landed
