-- Parties of all products in one shape, one row a party and system.
{% set adapters = [
    'int_parties__demo_oms',
    'int_parties__demo_erp',
    'int_parties__files',
    'int_parties__sap_odata',
    'int_parties__x12',
    'int_parties__vendure',
    'int_parties__tryton',
] %}

{{ union_of(adapters) }}
