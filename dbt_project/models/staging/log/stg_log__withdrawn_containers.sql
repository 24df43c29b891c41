-- Files and the like that were told anew as a whole, or taken away.
select
    system,
    entity,
    container,
    extraction_id,
    withdrawn_at
from {{ source('landing', 'withdrawn_containers') }}
