-- The log of extractions, each with its watermark: the time up to which the feed has told all.
{{ config(materialized='table') }}

with extractions as (
    select
        system,
        entity,
        extraction_id,
        run_id,
        started_at as extraction_started_at,
        ended_at as extraction_ended_at,
        coalesce(complete, false) as is_complete,
        records as record_count,
        coalesce(unchanged, 0) as unchanged_count,
        quarantined as quarantined_count,
        coalesce(swept, false) as is_swept,
        clock_offset_seconds,
        coalesce(clock_uncertainty_seconds, 0) as clock_uncertainty_seconds,
        error_kind,
        error_message,
        notices,
        load_order,
        cursor_to is not null as has_cursor
    from {{ source('landing', 'extractions') }}
    -- A crash between the copy of the data and its mark may land a row of the log twice.
    qualify row_number() over (
            partition by system, entity, extraction_id order by started_at
        ) = 1
),

with_settings as (
    select
        extractions.*,
        coalesce(systems.time_zone, 'UTC') as time_zone,
        coalesce(feeds.settle_seconds, systems.settle_seconds, 0) as settle_seconds
    from extractions
    left join {{ source('config', 'systems') }} as systems
        on extractions.system = systems.system
    left join {{ source('config', 'feeds') }} as feeds
        on extractions.system = feeds.system and extractions.entity = feeds.entity
),

-- In the order in which they landed: our own clock may have been wrong, and set right since.
with_neighbours as (
    select
        *,
        -- Partitioned by completeness: a failed extraction neither proves nor refutes anything.
        lag(clock_offset_seconds) over (
            partition by system, entity, is_complete order by load_order, extraction_started_at
        ) as clock_offset_seconds_before,
        coalesce(
            extraction_started_at > min(extraction_started_at) over (
                partition by system, entity
                order by load_order, extraction_started_at
                rows between 1 following and unbounded following
            ),
            false
        ) as is_overtaken
    from with_settings
),

with_watermark as (
    select
        *,
        is_complete
        and abs(clock_offset_seconds - clock_offset_seconds_before) > 30 is true as has_clock_jump,
        case
            when
                is_complete
                and not is_overtaken
                and abs(clock_offset_seconds - clock_offset_seconds_before) > 30 is not true
                then
                    extraction_started_at
                    - {{ seconds('settle_seconds + clock_uncertainty_seconds') }}
        end as watermark_at
    from with_neighbours
)

select
    system,
    entity,
    extraction_id,
    run_id,
    extraction_started_at,
    extraction_ended_at,
    is_complete,
    record_count,
    unchanged_count,
    quarantined_count,
    is_swept,
    clock_offset_seconds,
    clock_uncertainty_seconds,
    error_kind,
    error_message,
    notices,
    has_cursor,
    time_zone,
    has_clock_jump,
    load_order,
    is_overtaken,
    watermark_at,
    {{ seconds('coalesce(clock_offset_seconds, 0) + clock_uncertainty_seconds') }}
        as clock_ahead_most,
    {{ seconds('coalesce(clock_offset_seconds, 0) - clock_uncertainty_seconds') }}
        as clock_ahead_least,
    {{ seconds('coalesce(clock_offset_seconds, 0)') }} as clock_ahead,
    not coalesce(bool_or(is_complete) over before_it, false) as is_first_load,
    max(watermark_at) over before_it as previous_watermark_at
from with_watermark
window before_it as (
    partition by system, entity
    order by load_order, extraction_started_at
    rows between unbounded preceding and 1 preceding
)
