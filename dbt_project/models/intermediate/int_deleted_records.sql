-- Records that vanished: the latest two sweeps of their system, or more, missed them.
{{ config(materialized='table') }}

with sweeps as (
    select
        system,
        entity,
        extraction_id,
        extraction_started_at,
        extraction_ended_at,
        row_number() over (
            partition by system, entity order by load_order desc, extraction_started_at desc
        ) as sweeps_ago,
        lag(extraction_started_at) over (
            partition by system, entity order by load_order, extraction_started_at
        ) as previous_started_at
    from {{ ref('stg_log__extractions') }}
    where is_swept
),

-- A record that was told after a sweep had missed it was there after all.
misses as (
    select
        missing.system,
        missing.entity,
        missing.record_id,
        sweeps.sweeps_ago,
        sweeps.previous_started_at,
        sweeps.extraction_ended_at,
        landed.last_seen_at,
        row_number() over (
            partition by missing.system, missing.entity, missing.record_id
            order by sweeps.sweeps_ago
        ) as nth_latest
    from {{ ref('stg_log__missing_records') }} as missing
    inner join sweeps
        on
            missing.system = sweeps.system
            and missing.entity = sweeps.entity
            and missing.extraction_id = sweeps.extraction_id
    inner join {{ ref('int_landed_records') }} as landed
        on
            missing.system = landed.system
            and missing.entity = landed.entity
            and missing.record_id = landed.record_id
    where landed.last_seen_at < sweeps.extraction_started_at
)

-- The nth latest miss belongs to the unbroken run up to now if it is the nth latest sweep, too.
select
    system,
    entity,
    record_id,
    greatest(
        arg_max_null(previous_started_at, sweeps_ago),
        any_value(last_seen_at)
    ) as deleted_from,
    arg_max(extraction_ended_at, sweeps_ago) as deleted_to
from misses
where sweeps_ago = nth_latest
group by system, entity, record_id
having count(*) >= 2
