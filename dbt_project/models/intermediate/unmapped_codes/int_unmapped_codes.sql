-- Codes that no seed knows, of all products in one shape.
{{ config(materialized='table') }}

{% set adapters = [
    'int_unmapped_codes__demo_oms',
    'int_unmapped_codes__demo_erp',
    'int_unmapped_codes__demo_wms',
    'int_unmapped_codes__demo_carrier',
    'int_unmapped_codes__carrier_tracking',
    'int_unmapped_codes__files',
    'int_unmapped_codes__sap_odata',
    'int_unmapped_codes__x12',
    'int_unmapped_codes__x12_parties',
    'int_unmapped_codes__vendure',
    'int_unmapped_codes__tryton',
] %}

{{ union_of(adapters) }}
