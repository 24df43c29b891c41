-- What the demo WMS held for compared fields: shipped quantities in base units, item data.
with shipments as (
    select
        lines.system,
        'shipment_lines' as entity,
        lines.record_id,
        lines.version_number,
        'shipment_line' as object_type,
        'host_line' as link_type,
        lines.host_order || '/' || lines.host_line as link_key,
        cast(null as varchar) as link_system,
        lines.shipment_number as document,
        'shipped_quantity' as field,
        case
            when lines.canonical_status = 'shipped'
                then {{ base_quantity(
                    'demo_wms', 'lines.quantity', 'lines.uom', 'packs.case_pack'
                ) }}
        end as value,
        true as is_additive,
        lines.updated_from as recorded_from,
        lines.updated_to as recorded_to,
        lines.seen_at,
        lines.is_first_load,
        lines.raw_key
    from {{ ref('stg_demo_wms__shipment_lines') }} as lines
    left join {{ ref('int_packs__demo_wms') }} as packs
        on
            lines.system = packs.system
            and lines.sku = packs.sku
            and lines.shipped_from >= packs.valid_from
            and lines.shipped_from < packs.valid_to
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
        sku as document,
        unnest(
            [
                struct_pack(
                    field := 'pack_quantity', value := try_cast(case_pack as decimal(18, 6))
                ),
                struct_pack(
                    field := 'weight_grams', value := try_cast(weight_grams as decimal(18, 6))
                ),
                struct_pack(
                    field := 'is_active',
                    value := cast(canonical_status = 'active' as decimal(18, 6))
                )
            ],
            recursive := true
        ),
        false as is_additive,
        updated_from as recorded_from,
        updated_to as recorded_to,
        seen_at,
        is_first_load,
        raw_key
    from {{ ref('stg_demo_wms__items') }}
)

select * from shipments
union all
select * from items
