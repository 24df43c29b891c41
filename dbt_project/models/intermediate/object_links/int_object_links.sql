-- Declared links of all products in one shape: an object, and the object it belongs to.
{% set adapters = [
    'int_object_links__demo_erp',
    'int_object_links__demo_oms',
    'int_object_links__demo_wms',
    'int_object_links__files',
    'int_object_links__sap_odata',
    'int_object_links__x12',
    'int_object_links__vendure',
    'int_object_links__tryton',
] %}

{{ union_of(adapters) }}
