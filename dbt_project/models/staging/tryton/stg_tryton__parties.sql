-- Parties of Tryton, one row a version.
with landed as (
    {{ versions('tryton', 'parties') }}
)

select
    code as party_code,
    name as party_name,
    active as is_active,
    {{ instant('modified_at', 'updated') }},
    {{ provenance() }}
from landed
