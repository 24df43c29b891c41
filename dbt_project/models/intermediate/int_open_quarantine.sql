-- Refused rows that are still waited for: nothing has settled them.
with last_withdrawals as (
    select
        system,
        entity,
        container,
        max(extraction_id) as extraction_id
    from {{ ref('stg_log__withdrawn_containers') }}
    group by system, entity, container
)

select
    quarantine.system,
    quarantine.entity,
    quarantine.record_id,
    quarantine.reference,
    quarantine.reason_code,
    quarantine.quarantined_at
from {{ ref('stg_log__quarantine') }} as quarantine
left join {{ ref('int_landed_records') }} as landed
    on
        quarantine.system = landed.system
        and quarantine.entity = landed.entity
        and quarantine.record_id = landed.record_id
left join last_withdrawals
    on
        quarantine.system = last_withdrawals.system
        and quarantine.entity = last_withdrawals.entity
        and quarantine.container = last_withdrawals.container
where
    -- A good version of the same record, seen since, settles it.
    (landed.last_seen_at is null or landed.last_seen_at < quarantine.quarantined_at)
    -- So does a later extraction that told its file anew (what is still broken was refused again),
    -- or found it gone. Ids of extractions begin with the moment of their start.
    and (
        last_withdrawals.extraction_id is null
        or last_withdrawals.extraction_id <= quarantine.extraction_id
    )
    -- And so does the row itself, when a changed contract let it land in its place after all.
    and list_contains(landed.places, quarantine.extraction_id || '#' || quarantine.sequence)
    is not true
