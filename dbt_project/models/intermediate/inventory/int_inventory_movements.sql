-- Stock movements of all products in one shape.
{% set adapters = [
    'int_inventory_movements__demo_erp',
    'int_inventory_movements__demo_wms',
    'int_inventory_movements__files',
    'int_inventory_movements__x12',
    'int_inventory_movements__tryton',
] %}

{{ union_of(adapters) }}
