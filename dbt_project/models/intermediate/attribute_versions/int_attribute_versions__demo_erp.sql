-- What the demo ERP held for compared fields: order lines, fulfilled quantities, packs of items.
with order_fields as (
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
    from {{ ref('stg_demo_erp__sales_order_lines') }}
    where order_number is not null and line_number is not null
),

order_lines as (
    select
        system,
        'sales_order_lines' as entity,
        record_id,
        version_number,
        'order_line' as object_type,
        'order_line' as link_type,
        order_number || '/' || line_number as link_key,
        system as link_system,
        doc_no as document,
        field,
        value,
        false as is_additive,
        updated_from as recorded_from,
        updated_to as recorded_to,
        seen_at,
        is_first_load,
        raw_key
    from order_fields
),

fulfilments as (
    select
        system,
        'fulfilment_lines' as entity,
        record_id,
        version_number,
        'shipment_line' as object_type,
        'host_line' as link_type,
        doc_no || '/' || position_number as link_key,
        system as link_system,
        shipment_number as document,
        'shipped_quantity' as field,
        case when canonical_status = 'shipped' then quantity end as value,
        -- One shipment may be posted in several documents: what they add up to is compared.
        true as is_additive,
        updated_from as recorded_from,
        updated_to as recorded_to,
        seen_at,
        is_first_load,
        raw_key
    from {{ ref('stg_demo_erp__fulfilment_lines') }}
),

items as (
    select
        system,
        'items' as entity,
        record_id,
        version_number,
        'item' as object_type,
        'item' as link_type,
        gtin as link_key,
        system as link_system,
        item_no as document,
        'pack_quantity' as field,
        cast(case_quantity as decimal(18, 6)) as value,
        false as is_additive,
        updated_from as recorded_from,
        updated_to as recorded_to,
        seen_at,
        is_first_load,
        raw_key
    from {{ ref('stg_demo_erp__items') }}
)

select * from order_lines
union all
select * from fulfilments
union all
select * from items
