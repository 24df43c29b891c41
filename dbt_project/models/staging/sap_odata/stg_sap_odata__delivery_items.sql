-- Outbound delivery items of SAP, one row a version.
with landed as (
    {{ versions('sap_odata', 'delivery_items') }}
)

select
    landed.delivery as delivery_number,
    landed.delivery_item as item_number,
    landed.sales_order as doc_no,
    landed.sales_order_item as order_item_number,
    landed.ship_to_party as customer_number,
    landed.plant as warehouse,
    plants.location_id,
    landed.goods_movement_status as status,
    states.canonical_value as canonical_status,
    {{ mapping_method('landed.goods_movement_status', 'states.canonical_value') }}
        as status_mapping_method,
    landed.material as item_no,
    landed.delivered_quantity as quantity,
    landed.quantity_unit as uom,
    {{ instant('landed.goods_movement_at', 'goods_movement') }},
    {{ instant('landed.created_at', 'created') }},
    {{ instant('landed.changed_at', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as states
    on
        states.connector = 'sap_odata'
        and states.entity = 'delivery_items'
        and states.field = 'goods_movement_status'
        and landed.goods_movement_status = states.source_value
left join {{ ref('location_map') }} as plants
    on plants.connector = 'sap_odata' and landed.plant = plants.source_location
