-- What is wrong with feeds and codes, from when until when, by the log of extractions, the
-- quarantine and the codes that no mapping knows. What the rules of the family feed are about.
{% set signals = {
    'failing': ('not is_complete', 'is_complete'),
    'empty': ('is_complete and told_count = 0', 'is_complete and told_count > 0'),
    'clock_jump': ('has_clock_jump', 'is_complete and not has_clock_jump'),
    'clock_skew': ('is_complete and is_skewed', 'is_complete and not is_skewed'),
    'unknown_field': ('has_unknown_field', 'is_complete and not has_unknown_field'),
} %}

with skews as (
    select max(tolerance_minutes) as tolerance_minutes
    from {{ ref('feed_signals') }}
    where signal = 'clock_skew'
),

readings as (
    select
        log.*,
        -- What could not be used was told all the same.
        log.record_count + coalesce(log.quarantined_count, 0) as told_count,
        coalesce(
            abs(log.clock_offset_seconds) - log.clock_uncertainty_seconds
            > skews.tolerance_minutes * 60,
            false
        ) as is_skewed,
        log.is_complete and coalesce(contains(log.notices, 'unknown field'), false)
            as has_unknown_field
    from {{ ref('stg_log__extractions') }} as log
    inner join {{ ref('dim_systems') }} as systems
        on log.system = systems.system
    cross join skews
),

-- The bad readings between two good ones are one trouble: the next good one ends it.
marked as (
    select
        *,
    {% for signal, (bad, good) in signals.items() %}
        count_if({{ good }}) over up_to_now as {{ signal }}_run,
        min(case when {{ good }} then extraction_started_at end) over afterwards
            as {{ signal }}_ended_at{{ ',' if not loop.last }}
    {% endfor %}
    from readings
    window
        up_to_now as (
            partition by system, entity
            order by extraction_started_at, extraction_id
            rows between unbounded preceding and current row
        ),
        afterwards as (
            partition by system, entity
            order by extraction_started_at, extraction_id
            rows between 1 following and unbounded following
        )
),

bad_readings as (
    {% for signal, (bad, good) in signals.items() %}
        select
            '{{ signal }}' as signal,
            system,
            entity,
            {{ signal }}_run as run,
            {{ signal }}_ended_at as ended_at,
            extraction_started_at,
            {% if signal == 'failing' %}
                error_kind,
                concat_ws(': ', error_kind, error_message) as observed
            {% elif signal == 'empty' %}
                cast(null as varchar) as error_kind,
                'complete, with no records' as observed
            {% elif signal == 'unknown_field' %}
                cast(null as varchar) as error_kind,
                notices as observed
            {% else %}
                cast(null as varchar) as error_kind,
                'clock ahead by ' || cast(round(clock_offset_seconds) as integer) || ' s'
                    as observed
            {% endif %}
        from marked
        where {{ bad }}
        {% if not loop.last %}
            union all
        {% endif %}
    {% endfor %}
),

told_by_the_log as (
    select
        signal,
        system,
        entity,
        run,
        arg_min(error_kind, extraction_started_at) as error_kind,
        arg_min(observed, extraction_started_at) as observed,
        min(extraction_started_at) as begun_at,
        case when min(ended_at) is not null then max(extraction_started_at) end as ended_from,
        min(ended_at) as ended_to
    from bad_readings
    group by signal, system, entity, run
),

-- How a feed used to tell, up to each time it told anything.
habits as (
    select
        system,
        entity,
        empty_run as run,
        told_count,
        has_cursor,
        extraction_started_at as told_at,
        empty_run as times_told,
        max(silence) over up_to_now as longest_silence,
        extraction_started_at - min(extraction_started_at) over up_to_now as known_for
    from (
        select
            *,
            extraction_started_at - lag(extraction_started_at) over (
                partition by system, entity order by empty_run
            ) as silence
        from marked
        where is_complete and told_count > 0
    ) as told
    window up_to_now as (
        partition by system, entity
        order by empty_run
        rows between unbounded preceding and current row
    )
),

-- Most feeds tell only news, and no news is nothing wrong: only three times the longest silence of
-- a week or more is. A feed that is read whole each time has no reason ever to be empty.
silences as (
    select
        told_by_the_log.* replace (
            case
                when habits.has_cursor
                    then greatest(
                            told_by_the_log.begun_at, habits.told_at + 3 * habits.longest_silence
                        )
                else told_by_the_log.begun_at
            end as begun_at
        )
    from told_by_the_log
    inner join habits
        on
            told_by_the_log.system = habits.system
            and told_by_the_log.entity = habits.entity
            and told_by_the_log.run = habits.run
    where
        told_by_the_log.signal = 'empty'
        and case
            when habits.has_cursor
                then habits.times_told >= 20 and habits.known_for >= interval 7 days
            else habits.told_count >= 10
        end
),

codes as (
    select
        *,
        system || '.' || entity || '.' || field_name || '=' || source_value as object_id
    from {{ ref('int_unmapped_codes') }}
),

complete as (
    select
        system,
        entity,
        extraction_started_at,
        extraction_ended_at,
        watermark_at,
        previous_watermark_at
    from readings
    where watermark_at is not null
),

log_troubles as (
    select * from told_by_the_log
    where signal <> 'empty'
    union all by name
    select * from silences
),

-- Each trouble with its last known bad moment: what was put right, was so since then or later.
troubles as (
    select
        signal,
        error_kind,
        system,
        entity,
        system || '.' || entity as object_id,
        run,
        observed,
        begun_at,
        ended_from,
        ended_to,
        cast(null as varchar) as raw_key
    from log_troubles
    union all
    select
        refused.reason_code as signal,
        null as error_kind,
        refused.system,
        refused.entity,
        refused.system || '.' || refused.entity as object_id,
        0 as run,
        concat_ws(' ', refused.record_id, refused.reason) as observed,
        refused.quarantined_at as begun_at,
        case when refused.settled_at is not null then refused.quarantined_at end as ended_from,
        refused.settled_at as ended_to,
        refused.raw_key
    from {{ ref('int_refused_records') }} as refused
    inner join {{ ref('dim_systems') }} as systems
        on refused.system = systems.system
    union all
    select
        'unmapped_' || codes.code_kind as signal,
        null as error_kind,
        codes.system,
        codes.entity,
        codes.object_id,
        0 as run,
        codes.record_count || ' records, such as ' || codes.sample_record_id as observed,
        codes.first_seen_at as begun_at,
        case when codes.cleared_at is not null then codes.last_seen_at end as ended_from,
        codes.cleared_at as ended_to,
        cast(null as varchar) as raw_key
    from codes
)

select
    troubles.signal,
    troubles.error_kind,
    troubles.system,
    troubles.entity,
    troubles.object_id,
    troubles.observed,
    troubles.begun_at,
    -- A complete reading in between that told nothing of it found it as it was; the one that tells
    -- its end does not say since when.
    case when troubles.ended_to is not null
            then greatest(
                    troubles.ended_from,
                    case
                        when troubles.ended_to <= complete.extraction_ended_at
                            then complete.previous_watermark_at
                        else complete.watermark_at
                    end
                )
    end as ended_from,
    troubles.ended_to,
    troubles.raw_key
from troubles
asof left join complete
    on
        troubles.system = complete.system
        and troubles.entity = complete.entity
        and troubles.ended_to > complete.extraction_started_at
