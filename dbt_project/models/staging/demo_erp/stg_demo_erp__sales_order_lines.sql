-- Sales order lines as the ERP holds them, one row a version.
with told as (
    {{ versions('demo_erp', 'sales_order_lines') }}
),

-- The release and its warehouse are the document's: a line that a supplier ships has no part in it.
landed as (
    select
        * replace (
            case when po_no is null then whs end as whs,
            case when po_no is null then released end as released
        )
    from told
)

select
    landed.doc_no,
    landed.pos as position_number,
    landed.ext_ref as order_number,
    landed.ext_line as line_number,
    landed.cust_no as customer_number,
    landed.cust_po as customer_po,
    landed.curr as currency,
    landed.whs as warehouse,
    warehouses.location_id,
    landed.stat as order_status,
    landed.line_stat as line_status,
    line_states.canonical_value as canonical_line_status,
    {{ mapping_method('landed.line_stat', 'line_states.canonical_value') }}
        as line_status_mapping_method,
    landed.row_version as record_version,
    landed.item_no,
    landed.ship_to,
    landed.ord_qty as quantity,
    landed.open_qty as open_quantity,
    landed.bo_qty as backordered_quantity,
    landed.shp_qty as shipped_quantity,
    landed.can_qty as cancelled_quantity,
    landed.um as uom,
    landed.prc as unit_price,
    landed.po_no as purchase_order,
    landed.po_line as purchase_line,
    landed.origin,
    {{ local_instant('landed.entered', 'entered') }},
    {{ local_instant('landed.held', 'held') }},
    {{ local_instant('landed.validated', 'validated') }},
    {{ local_instant('landed.booked', 'booked') }},
    {{ local_instant('landed.released', 'released') }},
    {{ local_instant('coalesce(landed.line_cancelled, landed.cancelled)', 'cancelled') }},
    {{ local_instant('landed.po_raised', 'bought') }},
    {{ local_instant('landed.modified', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as line_states
    on
        line_states.connector = 'demo_erp'
        and line_states.entity = 'sales_order_lines'
        and line_states.field = 'line_stat'
        and cast(landed.line_stat as varchar) = line_states.source_value
left join {{ ref('location_map') }} as warehouses
    on warehouses.connector = 'demo_erp' and landed.whs = warehouses.source_location
