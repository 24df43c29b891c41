-- Observed balances of all products in one shape.
{% set adapters = [
    'int_inventory_positions__demo_oms',
    'int_inventory_positions__demo_erp',
    'int_inventory_positions__demo_wms',
    'int_inventory_positions__files',
    'int_inventory_positions__x12',
    'int_inventory_positions__vendure',
    'int_inventory_positions__tryton',
] %}

{{ union_of(adapters) }}
