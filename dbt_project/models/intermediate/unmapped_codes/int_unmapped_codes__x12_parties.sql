-- Customers who send orders under a name that no row of party_map knows, as unmapped codes.
{{ config(materialized='view') }}

select
    systems.connector,
    orders.system,
    'purchase_orders' as entity,
    'partner' as field_name,
    'party' as code_kind,
    orders.partner as source_value,
    count(distinct orders.record_id) as record_count,
    min(orders.seen_at) as first_seen_at,
    max(orders.seen_at) as last_seen_at,
    cast(null as timestamptz) as cleared_at,
    min(orders.record_id) as sample_record_id
from {{ ref('stg_x12__purchase_orders') }} as orders
inner join {{ ref('dim_systems') }} as systems
    on orders.system = systems.system
anti join {{ ref('party_map') }} as known
    on orders.system = known.system and orders.partner = known.source_party
where orders.direction = 'inbound'
group by systems.connector, orders.system, orders.partner
