-- Every interchange with a partner, one row an interchange version.
with landed as (
    {{ versions('x12', 'interchanges', position='position') }}
)

select
    interchange_id,
    direction,
    partner,
    standard,
    control_number,
    position as sender_position,
    sender,
    receiver,
    version,
    usage,
    group_count,
    set_count,
    sets,
    file,
    {{ local_instant('written_at', 'written', precision='1 minute') }},
    {{ provenance() }}
from landed
