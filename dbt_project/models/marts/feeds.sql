-- What each configured feed has told, how far it is to be believed, and what is wrong with it.
with attempts as (
    select
        system,
        entity,
        count(*) as extraction_count,
        count(*) filter (where not is_complete) as failed_extraction_count,
        arg_max(extraction_started_at, load_order) filter (where not is_complete)
            as last_failed_at,
        arg_max(error_kind, load_order) filter (where not is_complete) as last_error_kind,
        arg_max(error_message, load_order) filter (where not is_complete)
            as last_error_message,
        arg_max(clock_offset_seconds, load_order)
        filter (where clock_offset_seconds is not null) as clock_offset_seconds,
        arg_max(clock_uncertainty_seconds, load_order)
        filter (where clock_offset_seconds is not null) as clock_uncertainty_seconds
    from {{ ref('stg_log__extractions') }}
    group by system, entity
),

unresolved as (
    select
        system,
        entity,
        count(distinct record_id) as unresolved_count
    from {{ ref('int_open_quarantine') }}
    group by system, entity
),

build as (
    {{ newest_extraction() }}
)

select
    watermarks.system,
    watermarks.role,
    watermarks.connector,
    watermarks.entity,
    case
        when watermarks.last_complete_at is null then 'never_complete'
        when watermarks.is_clock_jumped then 'clock_jumped'
        when not watermarks.is_last_complete then 'failing'
        else 'ok'
    end as status,
    watermarks.watermark_at,
    watermarks.last_complete_at,
    watermarks.last_attempt_at,
    {{ seconds_between('watermarks.watermark_at', 'build.measured_at') }} as behind_seconds,
    attempts.last_failed_at,
    attempts.last_error_kind,
    attempts.last_error_message,
    coalesce(attempts.extraction_count, 0) as extraction_count,
    coalesce(attempts.failed_extraction_count, 0) as failed_extraction_count,
    cast(watermarks.record_count as bigint) as record_count,
    cast(watermarks.quarantined_count as bigint) as quarantined_count,
    coalesce(unresolved.unresolved_count, 0) as unresolved_quarantined_count,
    attempts.clock_offset_seconds,
    attempts.clock_uncertainty_seconds
from {{ ref('feed_watermarks') }} as watermarks
cross join build
left join attempts
    on watermarks.system = attempts.system and watermarks.entity = attempts.entity
left join unresolved
    on watermarks.system = unresolved.system and watermarks.entity = unresolved.entity
