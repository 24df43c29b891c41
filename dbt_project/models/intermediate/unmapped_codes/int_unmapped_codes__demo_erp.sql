-- Codes of the demo ERP that no seed knows.
{{ unmapped_statuses('demo_erp', 'sales_order_lines', 'line_stat') }}
union all
{{ unmapped_statuses('demo_erp', 'fulfilment_lines', 'stat') }}
union all
{{ unmapped_statuses('demo_erp', 'invoice_lines', 'stat') }}
union all
{{ unmapped_statuses('demo_erp', 'settlement_lines', 'typ') }}
union all
{{ unmapped_statuses('demo_erp', 'settlement_lines', 'stat') }}
union all
{{ unmapped_movement_types('demo_erp', 'stock_movements', 'mv_type') }}
union all
{{ unmapped_locations('demo_erp', 'fulfilment_lines', 'whs') }}
union all
{{ unmapped_locations('demo_erp', 'stock_movements', 'whs') }}
union all
{{ unmapped_locations('demo_erp', 'stock', 'whs') }}
union all
{{ unmapped_items('demo_erp', 'sales_order_lines', 'item_no') }}
union all
{{ ambiguous_items('demo_erp', 'items', 'gtin') }}
union all
{{ doubtful_customers('demo_erp', 'sales_order_lines', 'cust_no', 'ext_ref', 'demo_oms', 'C') }}
union all
{{ unmapped_units('demo_erp', 'sales_order_lines', 'um') }}
union all
{{ unmapped_statuses('demo_erp', 'items', 'sts') }}
