-- Items of all products in one shape, one row an item and system.
{% set adapters = [
    'int_items__demo_oms',
    'int_items__demo_erp',
    'int_items__demo_wms',
    'int_items__files',
    'int_items__sap_odata',
    'int_items__x12',
    'int_items__vendure',
    'int_items__tryton',
] %}

{{ union_of(adapters) }}
