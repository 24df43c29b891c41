-- What Tryton held for compared fields: order lines, and quantities that ERP or WMS shipped.
with sale_fields as (
    select
        *,
        quoted_at is not null and cancelled_at is null as is_standing
    from {{ ref('stg_tryton__sale_lines') }}
    where order_number is not null and line_number is not null and quantity >= 0
),

order_fields as (
    select
        *,
        unnest(
            [
                struct_pack(
                    field := 'unit_price',
                    value := case when is_standing then unit_price end
                ),
                struct_pack(
                    field := 'quantity',
                    value := case when is_standing then quantity end
                )
            ],
            recursive := true
        )
    from sale_fields
),

order_lines as (
    select
        system,
        'sale_lines' as entity,
        record_id,
        version_number,
        'order_line' as object_type,
        'order_line' as link_type,
        order_number || '/' || line_number as link_key,
        system as link_system,
        sale_number as document,
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
        sale_number || '/' || line_number as link_key,
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
    from {{ ref('stg_tryton__fulfilment_lines') }}
    where sale_number is not null
),

shipments as (
    select
        system,
        'shipment_lines' as entity,
        record_id,
        version_number,
        'shipment_line' as object_type,
        'host_item' as link_type,
        host_order || '/' || sku as link_key,
        cast(null as varchar) as link_system,
        shipment_number as document,
        'shipped_quantity' as field,
        case when canonical_status = 'shipped' then quantity end as value,
        true as is_additive,
        updated_from as recorded_from,
        updated_to as recorded_to,
        seen_at,
        is_first_load,
        raw_key
    from {{ ref('stg_tryton__shipment_lines') }}
)

select * from order_lines
union all
select * from fulfilments
union all
select * from shipments
