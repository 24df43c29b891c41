-- Rows that broke their contract, each with what settled it: a good version of the record that came
-- after it, a later reading that told its file anew or found it gone, or the row itself, when a
-- changed contract let it land in its place after all.
select
    refused.system,
    refused.entity,
    refused.record_id,
    refused.reference,
    refused.reason_code,
    refused.reason,
    refused.quarantined_at,
    least(min(good.seen_at), min(withdrawals.withdrawn_at)) as settled_at,
    refused.raw_key
from {{ ref('stg_log__quarantine') }} as refused
left join {{ ref('int_doubted_sightings') }} as good
    on
        refused.system = good.system
        and refused.entity = good.entity
        and refused.record_id = good.record_id
        -- One reading may tell both; then the order in which it told them decides.
        and case
            when refused.extraction_id = good.extraction_id and refused.sequence is not null
                then refused.sequence <= good.sequence
            else refused.quarantined_at <= good.seen_at
        end
left join {{ ref('stg_log__withdrawn_containers') }} as withdrawals
    on
        refused.system = withdrawals.system
        and refused.entity = withdrawals.entity
        and refused.container = withdrawals.container
        -- What that reading refused again stays. Ids of readings begin with when they began.
        and refused.extraction_id < withdrawals.extraction_id
group by all
