-- Codes of SAP that no seed knows.
{{ unmapped_statuses('sap_odata', 'sales_order_items', 'process_status') }}
union all
{{ unmapped_statuses('sap_odata', 'delivery_items', 'goods_movement_status') }}
union all
{{ unmapped_statuses('sap_odata', 'billing_items', 'posting_status') }}
union all
{{ unmapped_locations('sap_odata', 'sales_order_items', 'plant') }}
union all
{{ unmapped_locations('sap_odata', 'delivery_items', 'plant') }}
union all
{{ unmapped_units('sap_odata', 'sales_order_items', 'requested_quantity_unit') }}
union all
{{ unmapped_units('sap_odata', 'delivery_items', 'quantity_unit') }}
union all
{{ unmapped_units('sap_odata', 'billing_items', 'quantity_unit') }}
