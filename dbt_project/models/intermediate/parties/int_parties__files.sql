-- Vendors as purchase order lines from files name them.
select
    system,
    vendor as party_id,
    vendor as source_party,
    'vendor' as party_type,
    'same_code' as method,
    min(coalesce(ordered_from, recorded_from, seen_at)) as first_recorded_at
from {{ ref('stg_files__purchase_order_lines') }}
group by system, vendor
