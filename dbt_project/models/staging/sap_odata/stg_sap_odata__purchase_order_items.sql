-- Purchase order items of SAP, one row a version.
with landed as (
    {{ versions('sap_odata', 'purchase_order_items') }}
)

select
    purchase_order as doc_no,
    purchase_order_item as item_number,
    supplier as supplier_number,
    processing_status as status,
    currency,
    material as item_no,
    order_quantity as quantity,
    quantity_unit as uom,
    net_price as unit_price,
    plant as warehouse,
    is_completely_delivered,
    {{ instant('ordered_at', 'ordered') }},
    {{ instant('created_at', 'created') }},
    {{ provenance() }}
from landed
