-- Business partners of SAP as they occur in its documents: customers and suppliers.
select
    system,
    customer_number as party_id,
    customer_number as source_party,
    'customer' as party_type,
    'declared_reference' as method,
    min(created_at) as first_recorded_at
from {{ ref('stg_sap_odata__sales_order_items') }}
where customer_number is not null
group by system, customer_number
union all
select
    system,
    supplier_number as party_id,
    supplier_number as source_party,
    'supplier' as party_type,
    'declared_reference' as method,
    min(created_at) as first_recorded_at
from {{ ref('stg_sap_odata__purchase_order_items') }}
group by system, supplier_number
