-- Parties, one row for each code by which a system knows one.
select
    {{ identity(['parties.system', 'parties.source_party']) }} as party_key,
    parties.system,
    systems.role,
    parties.party_id,
    parties.source_party,
    parties.party_type,
    parties.method,
    parties.first_recorded_at
from {{ ref('int_parties') }} as parties
inner join {{ ref('dim_systems') }} as systems
    on parties.system = systems.system
