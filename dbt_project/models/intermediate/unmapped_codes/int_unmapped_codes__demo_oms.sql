-- Codes of the demo OMS that no seed knows.
{{ unmapped_statuses('demo_oms', 'order_lines', 'line_status') }}
union all
{{ unmapped_locations('demo_oms', 'availability', 'location') }}
union all
{{ unmapped_items('demo_oms', 'order_lines', 'sku') }}
union all
{{ ambiguous_items('demo_oms', 'products', 'gtin') }}
union all
{{ unmapped_units('demo_oms', 'order_lines', 'uom') }}
union all
{{ unmapped_statuses('demo_oms', 'order_lines', 'reservation') }}
