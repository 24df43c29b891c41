-- Vendors as purchase order lines from files name them, and customers as an ERP in files does.
select
    system,
    vendor as party_id,
    vendor as source_party,
    'vendor' as party_type,
    'same_code' as method,
    min(coalesce(ordered_from, recorded_from, seen_at)) as first_recorded_at
from {{ ref('stg_files__purchase_order_lines') }}
group by system, vendor
union all
select
    system,
    'C' || customer_number as party_id,
    customer_number as source_party,
    'customer' as party_type,
    'pattern' as method,
    min(entered_at) as first_recorded_at
from {{ ref('stg_files__erp_document_lines') }}
where document_type = 'S' and customer_number is not null
group by system, customer_number
