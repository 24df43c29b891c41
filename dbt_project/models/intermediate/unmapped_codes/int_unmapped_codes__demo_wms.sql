-- Codes of the demo WMS that no seed knows.
{{ unmapped_statuses('demo_wms', 'order_lines', 'status') }}
union all
{{ unmapped_statuses('demo_wms', 'shipment_lines', 'status') }}
union all
{{ unmapped_statuses('demo_wms', 'return_lines', 'status') }}
union all
{{ unmapped_movement_types('demo_wms', 'transactions', 'tran_type') }}
union all
{{ unmapped_locations('demo_wms', 'order_lines', 'whse') }}
union all
{{ unmapped_locations('demo_wms', 'shipment_lines', 'whse') }}
union all
{{ unmapped_locations('demo_wms', 'receipt_lines', 'whse') }}
union all
{{ unmapped_locations('demo_wms', 'return_lines', 'whse') }}
union all
{{ unmapped_locations('demo_wms', 'transactions', 'whse') }}
union all
{{ unmapped_locations('demo_wms', 'inventory', 'whse') }}
union all
{{ unmapped_items('demo_wms', 'order_lines', 'sku') }}
union all
{{ unmapped_items('demo_wms', 'transactions', 'sku') }}
union all
{{ doubtful_documents('demo_wms', 'order_lines', 'host_order', 'host_line', 'whse') }}
union all
{{ ambiguous_items('demo_wms', 'items', 'gtin') }}
union all
{{ unmapped_units('demo_wms', 'order_lines', 'uom') }}
union all
{{ unmapped_units('demo_wms', 'shipment_lines', 'uom') }}
union all
{{ unmapped_units('demo_wms', 'receipt_lines', 'uom') }}
union all
{{ unmapped_units('demo_wms', 'return_lines', 'uom') }}
union all
{{ unmapped_statuses('demo_wms', 'items', 'status') }}
