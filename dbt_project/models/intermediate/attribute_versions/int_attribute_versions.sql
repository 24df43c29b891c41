-- Versions of compared fields of all products in one shape, one row a record, version and field.
{% set adapters = [
    'int_attribute_versions__demo_oms',
    'int_attribute_versions__demo_erp',
    'int_attribute_versions__demo_wms',
    'int_attribute_versions__sap_odata',
    'int_attribute_versions__x12',
    'int_attribute_versions__vendure',
    'int_attribute_versions__tryton',
] %}

{{ union_of(adapters) }}
