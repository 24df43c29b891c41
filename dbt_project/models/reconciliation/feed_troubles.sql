-- What is wrong with feeds and codes, from when until when, by the log of extractions, the
-- quarantine, the codes that no mapping knows, when carriers reported what, what takes turns, and
-- corrections that nobody saw. What the rules of the family feed are about.
{% set signals = {
    'failing': ('not is_complete', 'is_complete'),
    'empty': ('is_complete and told_count = 0', 'is_complete and told_count > 0'),
    'clock_jump': ('has_clock_jump', 'is_complete and not has_clock_jump'),
    'clock_skew': ('is_complete and is_skewed', 'is_complete and not is_skewed'),
    'unknown_field': ('has_unknown_field', 'is_complete and not has_unknown_field'),
    'odd_encoding': ('has_odd_encoding', 'is_complete and not has_odd_encoding'),
    'time_cut_off': (
        'has_time_cut_off and time_cut_off_run > 0',
        'is_complete and told_count > 0 and not has_time_cut_off',
    ),
    'told_again': ('has_told_again', 'is_complete and not has_told_again'),
    'out_of_order': ('has_out_of_order', 'is_complete and not has_out_of_order'),
    'back_dated': ('has_back_dated', 'is_complete and not has_back_dated'),
} %}
{# Notices of a reading that are signals: how each begins stands in connectors/base.py. #}
{% set notices = {
    'unknown_field': 'unknown field',
    'odd_encoding': 'odd encoding',
    'told_again': 'told again',
    'out_of_order': 'out of order',
} %}
{% set cut_off = 'time cut off in (\w+): each of (\d+)' %}
{# So many documents must have lost their time where the field had days without one before. #}
{% set documents_of_a_habit = 10 %}
{# What is so in one reading and not in the next was so until then. #}
{% set told_by_readings = notices.keys() | list + ['time_cut_off', 'back_dated'] %}

with tolerances as (
    select
        max(tolerance_minutes) filter (where signal = 'clock_skew') as skew_minutes,
        max(tolerance_minutes) filter (where signal = 'back_dated') as lag_minutes
    from {{ ref('feed_signals') }}
),

-- A carrier tells both when it scanned a package and when it reported that. What others enter late
-- shows only as a change between two of our looks.
late_reports as (
    select
        events.system,
        events.entity,
        events.seen_at,
        events.record_id
    from {{ ref('order_events') }} as events
    cross join tolerances
    where
        events.role = 'carrier'
        and events.object_type = 'package'
        and events.occurred_at < events.recorded_from - to_minutes(tolerances.lag_minutes)
),

late_readings as (
    select
        log.system,
        log.entity,
        log.extraction_id,
        count(distinct late_reports.record_id) as late_count
    from late_reports
    asof inner join {{ ref('stg_log__extractions') }} as log
        on
            late_reports.system = log.system
            and late_reports.entity = log.entity
            and late_reports.seen_at >= log.extraction_started_at
    group by log.system, log.entity, log.extraction_id
),

told_notices as (
    select
        system,
        entity,
        extraction_id,
        extraction_started_at,
        notices,
        row_number() over (
            partition by system, entity order by load_order, extraction_started_at
        ) = 1 as is_first
    from {{ ref('stg_log__extractions') }}
    where is_complete and record_count + coalesce(unchanged_count, 0) > 0
),

cut_off_fields as (
    select
        system,
        entity,
        extraction_id,
        extraction_started_at,
        is_first,
        unnest(regexp_extract_all(notices, '{{ cut_off }}', 1)) as field_name,
        cast(unnest(regexp_extract_all(notices, '{{ cut_off }}', 2)) as bigint) as document_count
    from told_notices
    where notices is not null
),

-- Where some documents have the day only, a quiet reading may well have none but those.
habitual_days as (
    select
        system,
        entity,
        field_name,
        min(extraction_started_at) as known_from
    from (
        select
            system,
            entity,
            extraction_started_at,
            unnest(regexp_extract_all(notices, 'days without a time in (\w+)', 1)) as field_name
        from told_notices
        where notices is not null
        union all
        select
            system,
            entity,
            extraction_started_at,
            field_name
        from cut_off_fields
        where is_first
    ) as days_told
    group by system, entity, field_name
),

cut_off_readings as (
    select distinct
        fields.system,
        fields.entity,
        fields.extraction_id
    from cut_off_fields as fields
    left join habitual_days as habits
        on
            fields.system = habits.system
            and fields.entity = habits.entity
            and fields.field_name = habits.field_name
            and fields.extraction_started_at >= habits.known_from
    where
        habits.field_name is null
        or (fields.document_count >= {{ documents_of_a_habit }} and not fields.is_first)
),

readings as (
    select
        log.*,
        -- What could not be used was told all the same, and so was what had landed just so.
        log.record_count + coalesce(log.unchanged_count, 0)
        + coalesce(log.quarantined_count, 0) as told_count,
        coalesce(
            abs(log.clock_offset_seconds) - log.clock_uncertainty_seconds
            > tolerances.skew_minutes * 60,
            false
        ) as is_skewed,
        coalesce(late_readings.late_count, 0) as late_count,
        late_readings.late_count is not null as has_back_dated,
        cut_off_readings.extraction_id is not null as has_time_cut_off
        {% for signal, beginning in notices.items() %}
            ,
            log.is_complete and coalesce(contains(log.notices, '{{ beginning }}'), false)
                as has_{{ signal }}
        {% endfor %}
    from {{ ref('stg_log__extractions') }} as log
    inner join {{ ref('dim_systems') }} as systems
        on log.system = systems.system
    cross join tolerances
    left join late_readings
        on
            log.system = late_readings.system
            and log.entity = late_readings.entity
            and log.extraction_id = late_readings.extraction_id
    left join cut_off_readings
        on
            log.system = cut_off_readings.system
            and log.entity = cut_off_readings.entity
            and log.extraction_id = cut_off_readings.extraction_id
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
            order by load_order, extraction_started_at, extraction_id
            rows between unbounded preceding and current row
        ),
        afterwards as (
            partition by system, entity
            order by load_order, extraction_started_at, extraction_id
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
            {% elif signal in notices or signal == 'time_cut_off' %}
                cast(null as varchar) as error_kind,
                notices as observed
            {% elif signal == 'back_dated' %}
                cast(null as varchar) as error_kind,
                late_count || ' events reported long after they happened' as observed
            {% else %}
                cast(null as varchar) as error_kind,
                'clock ahead by ' || cast(round(clock_offset_seconds) as bigint) || ' s'
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
        case
            when
                signal in (
                    {% for signal in told_by_readings -%}
                        '{{ signal }}'{{ ', ' if not loop.last }}
                    {%- endfor %}
                )
                then min(ended_at)
            when min(ended_at) is not null then max(extraction_started_at)
        end as ended_from,
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

-- What a target accepted and two complete extractions did not show: until a later one does, it is
-- taken back, or it is tried once more.
unseen_corrections as (
    select
        *,
        least(
            lead(updated_at) over (partition by correction_key order by version_number),
            min(created_at) over (
                partition by proposal_key
                order by created_at
                range between interval 1 microsecond following and unbounded following
            )
        ) as ended_at
    from {{ ref('stg_tallyman__corrections') }}
    qualify state = 'unproven'
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
    union all
    select
        signal,
        null as error_kind,
        system,
        entity,
        object_id,
        0 as run,
        observed,
        begun_at,
        calm_at as ended_from,
        calm_at as ended_to,
        raw_key
    from {{ ref('taking_turns') }}
    union all
    select
        'unseen_correction' as signal,
        null as error_kind,
        corrections.target_system as system,
        cast(null as varchar) as entity,
        corrections.object_id,
        0 as run,
        corrections.kind || ' ' || corrections.correction_key || ': ' || corrections.state_reason
            as observed,
        corrections.updated_at as begun_at,
        corrections.ended_at as ended_from,
        corrections.ended_at as ended_to,
        corrections.raw_key
    from unseen_corrections as corrections
    inner join {{ ref('dim_systems') }} as systems
        on corrections.target_system = systems.system
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
