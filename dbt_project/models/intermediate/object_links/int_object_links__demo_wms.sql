-- Which document line of the host a line in a package stands for, as the demo WMS packed it.
select
    lines.system,
    'package' as object_type,
    lines.tracking_number as object_key,
    'host_line' as target_type,
    lines.host_order || '/' || lines.host_line as target_key,
    {{ base_quantity('demo_wms', 'lines.quantity', 'lines.uom', 'packs.case_pack') }} as quantity,
    'packing_list' as method,
    lines.location_id,
    lines.shipped_at as recorded_at,
    lines.raw_key
from {{ ref('stg_demo_wms__shipment_lines') }} as lines
left join {{ ref('int_packs__demo_wms') }} as packs
    on
        lines.system = packs.system
        and lines.sku = packs.sku
        and lines.shipped_from >= packs.valid_from
        and lines.shipped_from < packs.valid_to
where lines.tracking_number is not null and lines.canonical_status = 'shipped'
qualify
    row_number() over (
        partition by lines.system, lines.record_id order by lines.version_number desc
    ) = 1
    and lines.quantity > 0
