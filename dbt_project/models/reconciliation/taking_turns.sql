-- What is undone again and again, each time that it was once too often, and since when it kept
-- still: values that come back, what we corrected in one target once more, and systems that fight
-- over several objects.
{{ config(materialized='view') }}

with limits as (
    select
        signal,
        to_minutes(tolerance_minutes) as span,
        allowed_count
    from {{ ref('feed_signals') }}
    where allowed_count is not null
),

known as (
    select max(watermark_at) as known_until from {{ ref('feed_watermarks') }}
),

kinds as (
    select distinct
        kind,
        kind_group,
        effect_shape = 'movement' as is_movement,
        is_creating
    from {{ ref('correction_kinds') }}
),

-- A value that comes back to what it was before the last change.
flips as (
    select
        'flip_flop' as signal,
        told.system,
        told.role,
        told.entity,
        told.object_type,
        told.object_key,
        told.object_id,
        told.object_key as thing,
        told.field,
        coalesce(groups.kind_group, told.field) as topic,
        told.field || ' takes turns between ' || {{ exact_text('told.value') }} || ' and '
        || {{ exact_text('told.other_value') }} as observed,
        told.changed_at,
        cast(null as varchar) as relied_on_systems,
        told.raw_key
    from (
        select
            *,
            valid_from_latest as changed_at,
            lag(value) over object_history as other_value,
            lag(value, 2) over object_history as earlier_value
        from {{ ref('attribute_versions') }}
        window object_history as (
            partition by system, object_type, object_key, field
            order by valid_from_latest, valid_to_latest nulls last, attribute_version_id
        )
    ) as told
    left join {{ ref('correction_kinds') }} as groups
        on
            told.field = groups.effect_field
            and told.role = groups.target_role
            and groups.effect_shape = 'value'
    where told.value = told.earlier_value
),

-- What a target accepted from us.
applied as (
    select
        corrections.*,
        kinds.kind_group,
        kinds.is_movement,
        kinds.is_creating
    from {{ ref('stg_tallyman__corrections') }} as corrections
    inner join kinds
        on corrections.kind = kinds.kind
    where corrections.is_latest and corrections.accepted_at is not null
),

-- What we made is one thing with what we made it for: an order's document, to be cancelled later.
made as (
    select
        target_system,
        kind_group,
        target_record_id,
        min(object_id) as made_for
    from applied
    where is_creating and target_record_id is not null
    group by target_system, kind_group, target_record_id
),

-- Of one document several movements may be lost; what is posted and taken back is one quantity.
corrected as (
    select
        'repeated_correction' as signal,
        applied.target_system as system,
        applied.object_id,
        concat_ws(
            '|',
            coalesce(made.made_for, applied.object_id),
            json_extract_string(applied.payload, '$.target_item'),
            json_extract_string(applied.payload, '$.target_location'),
            case
                when applied.is_movement
                    then
                        abs(
                            cast(
                                json_extract_string(applied.payload, '$.quantity')
                                as decimal(38, 6)
                            )
                        )
            end
        ) as thing,
        applied.kind_group as topic,
        applied.kind || ' sent by us once more: something undoes it' as observed,
        applied.accepted_at as changed_at,
        applied.relied_on_systems,
        applied.raw_key
    from applied
    left join made
        on
            applied.target_system = made.target_system
            and applied.kind_group = made.kind_group
            and applied.object_id = made.target_record_id
),

counted as (
    select
        turns.*,
        limits.span,
        limits.allowed_count,
        count(*) over (
            partition by turns.signal, turns.system, turns.thing, turns.field, turns.topic
            order by turns.changed_at
            range between limits.span preceding and current row
        ) as turn_count
    from (
        select * from flips
        union all by name
        select * from corrected
    ) as turns
    inner join limits
        on turns.signal = limits.signal
),

too_often as (
    select * from counted
    where turn_count > allowed_count
),

-- Who disagrees: of a field, whoever has to say what it is; of a correction, whom it relies on.
fights as (
    select
        too_often.system,
        others.system as other_system,
        too_often.topic,
        too_often.object_id,
        too_often.changed_at,
        too_often.raw_key
    from too_often
    inner join {{ ref('authorities') }} as authorities
        on
            too_often.system = authorities.a_system
            and too_often.object_type = authorities.object_type
            and too_often.field = authorities.field
    inner join {{ ref('attribute_versions') }} as others
        on
            authorities.authoritative_role = others.role
            and too_often.object_type = others.object_type
            and too_often.object_key = others.object_key
            and too_often.field = others.field
    union all
    select
        system,
        unnest(cast(json_extract_string(relied_on_systems, '$[*]') as varchar[])) as other_system,
        topic,
        object_id,
        changed_at,
        raw_key
    from too_often
),

crowded as (
    select
        fights.*,
        limits.span,
        limits.allowed_count,
        count(distinct fights.object_id) over (
            partition by
                least(fights.system, fights.other_system),
                greatest(fights.system, fights.other_system),
                fights.topic
            order by fights.changed_at
            range between limits.span preceding and current row
        ) as object_count
    from fights
    cross join limits
    where limits.signal = 'fighting_systems' and fights.system <> fights.other_system
),

troubles as (
    select
        signal,
        system,
        entity,
        object_id,
        observed,
        changed_at,
        span,
        raw_key
    from too_often
    union all
    select
        'fighting_systems' as signal,
        least(system, other_system) as system,
        cast(null as varchar) as entity,
        {{ pair_name('system', 'other_system', 'topic') }} as object_id,
        object_count || ' objects take turns between them: check the authority matrix' as observed,
        changed_at,
        span,
        raw_key
    from crowded
    where object_count > allowed_count
)

select
    troubles.signal,
    troubles.system,
    troubles.entity,
    troubles.object_id,
    troubles.observed,
    troubles.changed_at as begun_at,
    case
        when
            troubles.changed_at + troubles.span
            <= coalesce(watermarks.watermark_at, known.known_until)
            then troubles.changed_at + troubles.span
    end as calm_at,
    troubles.raw_key
from troubles
cross join known
left join {{ ref('feed_watermarks') }} as watermarks
    on troubles.system = watermarks.system and troubles.entity = watermarks.entity
