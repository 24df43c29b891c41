-- Sales order items as SAP holds them, one row a version. Item 000010 is line 1 of the order that
-- the customer reference names.
with landed as (
    {{ versions('sap_odata', 'sales_order_items') }}
)

select
    landed.sales_order as doc_no,
    landed.sales_order_item as item_number,
    landed.customer_reference as order_number,
    cast(try_cast(landed.sales_order_item as bigint) // 10 as varchar) as line_number,
    landed.sold_to_party as customer_number,
    landed.currency,
    landed.plant as warehouse,
    plants.location_id,
    landed.process_status,
    states.canonical_value as canonical_status,
    {{ mapping_method('landed.process_status', 'states.canonical_value') }}
        as status_mapping_method,
    landed.delivery_status,
    landed.material as item_no,
    landed.requested_quantity as quantity,
    landed.requested_quantity_unit as uom,
    landed.net_amount,
    {{ instant('landed.requested_delivery_at', 'requested_delivery') }},
    {{ instant('landed.created_at', 'created') }},
    {{ instant('landed.changed_at', 'updated') }},
    {{ provenance() }}
from landed
left join {{ ref('status_map') }} as states
    on
        states.connector = 'sap_odata'
        and states.entity = 'sales_order_items'
        and states.field = 'process_status'
        and landed.process_status = states.source_value
left join {{ ref('location_map') }} as plants
    on plants.connector = 'sap_odata' and landed.plant = plants.source_location
