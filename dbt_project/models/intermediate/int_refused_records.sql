-- Rows that broke their contract, each with what settled it: a good version of the record that came
-- after it, a later reading that told its file anew or found it gone, or the row itself, when a
-- changed contract let it land in its place after all. What came after what is told by the order in
-- which readings landed: our own clock may have been wrong, and set right since.
with
-- A refusal of which no reading is known is held all the same.
{% for name, told, kind in [
    ('refusals', 'stg_log__quarantine', 'left'),
    ('good_ones', 'int_doubted_sightings', 'inner'),
    ('withdrawals', 'stg_log__withdrawn_containers', 'inner'),
] %}
    {{ name }} as (
        select
            told.*,
            struct_pack(readings.load_order, readings.extraction_started_at) as landed
        from {{ ref(told) }} as told
        {{ kind }} join {{ ref('stg_log__extractions') }} as readings
            on
                told.system = readings.system
                and told.entity = readings.entity
                and told.extraction_id = readings.extraction_id
    )
    {{ ',' if not loop.last }}
{% endfor %}

select
    refused.system,
    refused.entity,
    refused.record_id,
    refused.reference,
    refused.reason_code,
    refused.reason,
    refused.quarantined_at,
    least(min(good_ones.seen_at), min(withdrawals.withdrawn_at)) as settled_at,
    refused.raw_key
from refusals as refused
left join good_ones
    on
        refused.system = good_ones.system
        and refused.entity = good_ones.entity
        and refused.record_id = good_ones.record_id
        -- One reading may tell both; then the order in which it told them decides.
        and case
            when refused.extraction_id = good_ones.extraction_id and refused.sequence is not null
                then refused.sequence <= good_ones.sequence
            else refused.landed <= good_ones.landed
        end
left join withdrawals
    on
        refused.system = withdrawals.system
        and refused.entity = withdrawals.entity
        and refused.container = withdrawals.container
        -- What that reading refused again stays.
        and refused.landed < withdrawals.landed
group by all
