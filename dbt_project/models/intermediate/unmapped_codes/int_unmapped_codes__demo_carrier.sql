-- Codes of the demo carrier that no seed knows.
{{ unmapped_statuses('demo_carrier', 'tracking_events', 'code') }}
union all
{{ unmapped_statuses('demo_carrier', 'tracking_events', 'reason') }}
