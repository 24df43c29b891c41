-- What the demo OMS held for compared fields: price and quantity of order lines that
-- stand, where their orders go, list prices.
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
),

-- An address is that of a whole order: its first line stands for it.
addresses as (
    select
        *,
        'ship_to' as field,
        case when cancelled_at is null then cast(ship_to as decimal(18, 6)) end as value
    from {{ ref('stg_demo_oms__order_lines') }}
    where accepted_at is not null and line_number = 1
),

order_fields as (
    select * from fields
    union all
    select * from addresses
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
from order_fields
union all
select
    system,
    'products' as entity,
    record_id,
    version_number,
    'item' as object_type,
    'item' as link_type,
    gtin as link_key,
    system as link_system,
    sku as document,
    'list_price' as field,
    list_price as value,
    false as is_additive,
    updated_from as recorded_from,
    updated_to as recorded_to,
    seen_at,
    is_first_load,
    raw_key
from {{ ref('stg_demo_oms__products') }}
