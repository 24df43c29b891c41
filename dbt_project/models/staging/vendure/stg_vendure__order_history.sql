-- What happened to orders in Vendure, one row a version of an entry.
with landed as (
    {{ versions('vendure', 'order_history') }}
)

select
    order_id as order_record,
    order_code as order_number,
    entry_id as entry_record,
    entry_type,
    from_state,
    to_state,
    fulfilment_id as fulfilment_record,
    payment_id as payment_record,
    refund_id as refund_record,
    note,
    reason,
    {{ instant('created_at', 'created') }},
    {{ instant('updated_at', 'updated') }},
    {{ provenance() }}
from landed
