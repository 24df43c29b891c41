-- What Vendure held for compared fields: price and quantity of order lines that stand.
with fields as (
    select
        *,
        unnest(
            [
                struct_pack(
                    field := 'unit_price',
                    value := case when cancelled_at is null then unit_price end
                ),
                struct_pack(
                    field := 'quantity',
                    value := case when cancelled_at is null then quantity end
                )
            ],
            recursive := true
        )
    from {{ ref('stg_vendure__order_lines') }}
    where settled_at is not null
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
    -- A change moves no time of the order reliably: the first version is as old as the order, any
    -- other came between our last look and this one.
    case when version_number = 1 then placed_from else previous_watermark_at end as recorded_from,
    case when version_number = 1 then greatest(placed_to, updated_to) else seen_at end
        as recorded_to,
    seen_at,
    is_first_load,
    raw_key
from fields
