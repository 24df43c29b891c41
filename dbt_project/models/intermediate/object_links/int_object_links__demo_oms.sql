-- Which order line a line of the demo OMS replaces: goods sent again, and no new order.
select
    system,
    'replacement' as object_type,
    order_number || '/' || line_number as object_key,
    'order_line' as target_type,
    replaces as target_key,
    {{ base_quantity('demo_oms', 'quantity', 'uom') }} as quantity,
    'declared_reference' as method,
    updated_at as recorded_at,
    raw_key
from {{ ref('stg_demo_oms__order_lines') }}
where replaces is not null
qualify row_number() over (partition by system, record_id order by version_number desc) = 1
