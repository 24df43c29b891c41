-- Codes of Vendure that no seed knows.
{{ unmapped_statuses('vendure', 'order_lines', 'order_state') }}
union all
{{ unmapped_statuses('vendure', 'fulfilment_lines', 'state') }}
union all
{{ unmapped_locations('vendure', 'stock_levels', 'location') }}
