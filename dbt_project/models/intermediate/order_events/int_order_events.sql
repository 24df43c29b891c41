-- Milestones of all products in one shape. A new product is one adapter and one name in this list.
{% set adapters = [
    'int_order_events__demo_oms',
    'int_order_events__demo_erp',
    'int_order_events__demo_wms',
    'int_order_events__demo_carrier',
    'int_order_events__carrier_tracking',
    'int_order_events__files',
    'int_order_events__files_erp',
    'int_order_events__sap_odata',
    'int_order_events__x12_purchase_orders',
    'int_order_events__x12_suppliers',
    'int_order_events__x12_warehouses',
    'int_order_events__x12_messages',
    'int_order_events__vendure',
    'int_order_events__tryton',
] %}

{{ union_of(adapters) }}
