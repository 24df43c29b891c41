-- How far each configured feed has told us everything, and what is wrong with it if anything is.
with latest as (
    select
        system,
        entity,
        max(watermark_at) as watermark_at,
        arg_max(extraction_started_at, load_order) filter (where is_complete)
            as last_complete_at,
        arg_max(extraction_started_at, load_order) as last_attempt_at,
        arg_max(is_complete, load_order) as is_last_complete,
        arg_max(has_clock_jump, load_order) as is_clock_jumped,
        arg_max(coalesce(error_kind, ''), load_order) as last_error_kind,
        arg_max(coalesce(error_message, ''), load_order) as last_error_message,
        sum(record_count) as record_count,
        sum(quarantined_count) as quarantined_count
    from {{ ref('stg_log__extractions') }}
    group by system, entity
)

select
    feeds.system,
    systems.role,
    systems.connector,
    feeds.entity,
    latest.watermark_at,
    latest.last_complete_at,
    latest.last_attempt_at,
    coalesce(latest.is_last_complete, false) as is_last_complete,
    coalesce(latest.is_clock_jumped, false) as is_clock_jumped,
    nullif(latest.last_error_kind, '') as last_error_kind,
    nullif(latest.last_error_message, '') as last_error_message,
    coalesce(latest.record_count, 0) as record_count,
    coalesce(latest.quarantined_count, 0) as quarantined_count
from {{ source('config', 'feeds') }} as feeds
inner join {{ ref('dim_systems') }} as systems
    on feeds.system = systems.system
left join latest
    on feeds.system = latest.system and feeds.entity = latest.entity
