-- Trading partners, as their profiles name them.
select
    systems.system,
    interchanges.partner as party_id,
    interchanges.partner as source_party,
    case systems.role
        when 'supplier' then 'vendor'
        when 'channel' then 'customer'
        else 'service_provider'
    end as party_type,
    'same_code' as method,
    min(coalesce(interchanges.written_at, interchanges.seen_at)) as first_recorded_at
from {{ ref('stg_x12__interchanges') }} as interchanges
inner join {{ ref('dim_systems') }} as systems
    on interchanges.system = systems.system
group by systems.system, systems.role, interchanges.partner
