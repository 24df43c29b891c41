-- Codes of Tryton that no seed knows.
{{ unmapped_statuses('tryton', 'sale_lines', 'line_state') }}
union all
{{ unmapped_statuses('tryton', 'fulfilment_lines', 'status') }}
union all
{{ unmapped_statuses('tryton', 'invoice_lines', 'state') }}
union all
{{ unmapped_statuses('tryton', 'purchase_lines', 'state') }}
union all
{{ unmapped_statuses('tryton', 'warehouse_order_lines', 'state') }}
union all
{{ unmapped_statuses('tryton', 'shipment_lines', 'state') }}
union all
{{ unmapped_statuses('tryton', 'receipt_lines', 'state') }}
union all
{{ unmapped_movement_types('tryton', 'stock_movements', 'movement_type') }}
union all
{{ unmapped_locations('tryton', 'sale_lines', 'warehouse') }}
union all
{{ unmapped_locations('tryton', 'fulfilment_lines', 'warehouse') }}
union all
{{ unmapped_locations('tryton', 'warehouse_order_lines', 'warehouse') }}
union all
{{ unmapped_locations('tryton', 'shipment_lines', 'warehouse') }}
union all
{{ unmapped_locations('tryton', 'receipt_lines', 'warehouse') }}
union all
{{ unmapped_locations('tryton', 'stock_movements', 'warehouse') }}
union all
{{ unmapped_locations('tryton', 'stock', 'warehouse') }}
union all
{{ unmapped_locations('tryton', 'locations', 'code', among="landed.location_type = 'warehouse'") }}
