-- Functional groups that we sent, one row a version of a group.
with landed as (
    {{ versions('x12', 'functional_groups', position='position') }}
)

select
    functional_id,
    group_number,
    sets,
    set_count,
    partner,
    direction,
    set_code,
    interchange_id,
    group_control_number,
    set_control_number,
    position as sender_position,
    origin,
    {{ local_time('acknowledgement_due_at') }} as acknowledgement_due_at,
    {{ local_instant('written_at', 'written', precision='1 minute') }},
    {{ provenance() }}
from landed
