-- Codes of the demo OMS that no seed knows.
{{ unmapped_statuses('demo_oms', 'order_lines', 'line_status') }}
