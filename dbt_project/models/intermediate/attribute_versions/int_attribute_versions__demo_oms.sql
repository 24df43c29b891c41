-- What the demo OMS held for compared fields: price and quantity of order lines that stand.
with fields as (
    select
        *,
        unnest(
            [
                struct_pack(
                    field := 'unit_price',
                    value := case when uom = 'EA' and cancelled_at is null then unit_price end
                ),
                struct_pack(
                    field := 'quantity',
                    value := case when uom = 'EA' and cancelled_at is null then quantity end
                )
            ],
            recursive := true
        )
    from {{ ref('stg_demo_oms__order_lines') }}
    where accepted_at is not null
)

select
    system,
    'order_lines' as entity,
    record_id,
    version_number,
    'order_line' as object_type,
    'order_line' as link_type,
    order_number || '/' || line_number as link_key,
    system as link_system,
    order_number as document,
    field,
    value,
    false as is_additive,
    updated_from as recorded_from,
    updated_to as recorded_to,
    seen_at,
    is_first_load,
    raw_key
from fields
