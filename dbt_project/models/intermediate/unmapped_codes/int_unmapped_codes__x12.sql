-- Codes in EDI documents that no seed and no partner profile knows.
{% set statuses = [
    ('purchase_orders', 'purpose_code'),
    ('purchase_order_lines', 'change_code'),
    ('acknowledgements', 'status_code'),
    ('acknowledgement_lines', 'status_code'),
    ('shipment_notice_lines', 'purpose_code'),
    ('invoice_lines', 'invoice_type'),
    ('warehouse_order_lines', 'status_code'),
    ('shipment_lines', 'status_code'),
    ('stock_transfer_lines', 'set_code'),
    ('tracking_events', 'status_code'),
    ('return_lines', 'purpose_code'),
    ('functional_acknowledgements', 'status_code'),
] %}
{% set located = [
    'inventory', 'warehouse_order_lines', 'shipment_lines', 'stock_transfer_lines',
    'adjustment_lines',
] %}
{% set measured = located + [
    'purchase_order_lines', 'acknowledgement_lines', 'shipment_notice_lines', 'invoice_lines',
    'return_lines',
] %}

{% for entity, field in statuses %}
    {{ unmapped_statuses('x12', entity, field) }}
    union all
{% endfor %}
{% for entity in located %}
    {{ unmapped_locations('x12', entity, 'location') }}
    union all
{% endfor %}
{% for entity in measured %}
    {{ untranslated('x12', entity, 'uom_source', 'uom') }}
    union all
{% endfor %}
{{ untranslated('x12', 'inventory', 'quantity_qualifier', 'state') }}
union all
{{ unmapped_movement_types('x12', 'adjustment_lines', 'reason_code') }}
