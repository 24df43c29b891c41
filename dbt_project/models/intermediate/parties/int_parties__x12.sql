-- Trading partners, as their profiles name them.
select
    systems.system,
    coalesce(min(parties.party_id), interchanges.partner) as party_id,
    interchanges.partner as source_party,
    case systems.role
        when 'supplier' then 'vendor'
        when 'channel' then 'customer'
        else 'service_provider'
    end as party_type,
    case when count(parties.party_id) > 0 then 'seed' else 'same_code' end as method,
    min(coalesce(interchanges.written_at, interchanges.seen_at)) as first_recorded_at
from {{ ref('stg_x12__interchanges') }} as interchanges
inner join {{ ref('dim_systems') }} as systems
    on interchanges.system = systems.system
left join {{ ref('party_map') }} as parties
    on
        interchanges.system = parties.system
        and interchanges.partner = parties.source_party
group by systems.system, systems.role, interchanges.partner
