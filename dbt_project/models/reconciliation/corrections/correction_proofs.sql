-- What later extractions show of each correction that its target accepted.
{{ config(materialized='table') }}

{% set created_lines = '[{"line_record": "VARCHAR", "quantity": "DECIMAL(18,6)"}]' %}
{% set changed_lines = '[{"order_line_id": "VARCHAR", "shipped_quantity": "DECIMAL(18,6)"}]' %}

with accepted as (
    select
        corrections.correction_key,
        corrections.rule_id,
        corrections.object_id,
        corrections.target_system,
        corrections.kind,
        corrections.state,
        corrections.created_at,
        corrections.accepted_at,
        corrections.target_record_id,
        corrections.idempotency_key,
        try_cast(corrections.new_value as json) as new_value,
        try_cast(corrections.payload as json) as payload,
        systems.role as target_role,
        kinds.effect_shape,
        kinds.effect_feed,
        kinds.effect_key,
        kinds.effect_milestone,
        kinds.effect_field
    from {{ ref('stg_tallyman__corrections') }} as corrections
    inner join {{ ref('dim_systems') }} as systems
        on corrections.target_system = systems.system
    inner join {{ ref('correction_kinds') }} as kinds
        on corrections.kind = kinds.kind and systems.role = kinds.target_role
    where
        corrections.is_latest
        and corrections.state in ('accepted', 'unproven')
        and corrections.accepted_at is not null
),

-- Where the effect shows.
effect_entities as (
    select
        accepted.correction_key,
        accepted.accepted_at,
        accepted.target_system as system,
        coalesce(entities.entity, accepted.effect_feed) as entity
    from accepted
    left join {{ ref('int_feed_entities') }} as entities
        on accepted.target_system = entities.system and accepted.effect_feed = entities.feed
),

-- A correction resolves what its kind resolves: two rules may want the same change. Of an object
-- that differs in several fields it resolves one.
kind_rules as (
    select
        rule_id,
        correction_kind as kind,
        cast(null as varchar) as field
    from {{ ref('rules') }}
    where correction_kind is not null
    union
    select
        rule_id,
        correction_kind as kind,
        field
    from {{ ref('compared_fields') }}
),

-- Every feed that must have been read again: the evidence of the rules, and where the effect shows.
feeds as (
    select
        accepted.correction_key,
        accepted.accepted_at,
        evidence.system,
        evidence.entity
    from accepted
    inner join kind_rules
        on accepted.kind = kind_rules.kind
    inner join {{ ref('rule_routes') }} as routes
        on
            kind_rules.rule_id = routes.rule_id
            and accepted.target_role = routes.role
            and accepted.target_system = routes.system
    inner join {{ ref('rule_evidence') }} as evidence
        on routes.rule_id = evidence.rule_id and routes.a_system = evidence.a_system
    -- Where a rule can never speak, because a feed that it needs is told by nobody, it asked for
    -- nothing.
    inner join {{ ref('frontiers') }} as frontiers
        on
            evidence.rule_id = frontiers.rule_id
            and evidence.a_system = frontiers.a_system
            and frontiers.frontier_at is not null
    union
    select
        correction_key,
        accepted_at,
        system,
        entity
    from effect_entities
),

feed_readings as (
    select
        feeds.correction_key,
        feeds.system,
        feeds.entity,
        count(extractions.extraction_id) as extraction_count
    from feeds
    left join {{ ref('stg_log__extractions') }} as extractions
        on
            feeds.system = extractions.system
            and feeds.entity = extractions.entity
            and extractions.is_complete
            -- Within the settle window the source may not show yet what it has accepted.
            and feeds.accepted_at < extractions.watermark_at
    group by feeds.correction_key, feeds.system, feeds.entity
),

readings as (
    select
        correction_key,
        min(extraction_count) as extractions_since
    from feed_readings
    group by correction_key
),

-- Exceptions may be cut anew: found by rule and by object, document or order, not by their ids.
concerned as (
    select
        accepted.correction_key,
        accepted.created_at,
        exceptions.status,
        exceptions.due_at,
        exceptions.end_to,
        exceptions.status = 'open'
        or (
            exceptions.status = 'pending'
            and exceptions.end_to is null
            and exceptions.due_at <= accepted.accepted_at
        ) as is_unmet
    from accepted
    inner join kind_rules
        on accepted.kind = kind_rules.kind
    inner join {{ ref('judged_exceptions') }} as exceptions
        on
            kind_rules.rule_id = exceptions.rule_id
            and coalesce(kind_rules.field = exceptions.field, true)
            and accepted.object_id in (
                exceptions.object_id,
                exceptions.document,
                exceptions.own_document,
                exceptions.order_id
            )
            -- What another counterpart still holds is not this correction's to end.
            and coalesce(
                accepted.target_system in (exceptions.a_system, exceptions.b_system), true
            )
    where exceptions.status <> 'none'
),

drifts as (
    select
        correction_key,
        count_if(is_unmet) as exceptions_open,
        -- Real are those that were open once; the last of them tells when it healed.
        count_if(is_unmet or status = 'closed') as drift_count,
        max(case when status = 'closed' then end_to end) as last_healed_at
    from concerned
    group by correction_key
),

-- Which lines of a document must show the effect, and with which quantity.
expected_lines as (
    select
        correction_key,
        unnest(
            case
                when json_array_length(payload, '$.lines') > 0
                    then from_json(
                            json_extract(payload, '$.lines'),
                            '{{ created_lines }}'
                        )
                else [{
                        'line_record': json_extract_string(payload, '$.line_record'),
                        'quantity': cast(null as decimal(18, 6))
                    }]
            end,
            recursive := true
        )
    from accepted
    where effect_shape in ('milestone', 'reversal')
),

numbered_lines as (
    select
        *,
        row_number() over (partition by correction_key) as line_position
    from expected_lines
),

line_effects as (
    select
        accepted.correction_key,
        lines.line_position,
        events.raw_key,
        events.entity,
        events.system
    from accepted
    inner join numbered_lines as lines
        on accepted.correction_key = lines.correction_key
    inner join effect_entities
        on accepted.correction_key = effect_entities.correction_key
    inner join {{ ref('order_events') }} as events
        on
            effect_entities.system = events.system
            and effect_entities.entity = events.entity
            and accepted.effect_milestone = events.milestone
            and (events.reversed_to is not null) = (accepted.effect_shape = 'reversal')
            and case
                when accepted.effect_key like '%own_document=%'
                    then events.own_document = {{ effect_reference('own_document') }}
                when accepted.effect_key like '%order_id=%'
                    then events.order_id = {{ effect_reference('order_id') }}
                else events.document = {{ effect_reference('document') }}
            end
            and coalesce(lines.line_record = events.line_record, true)
            and coalesce(lines.quantity = events.quantity, true)
    where accepted.effect_shape in ('milestone', 'reversal')
),

-- Values: of the object itself, or of each line of the document that was changed.
expected_values as (
    select
        correction_key,
        target_system,
        effect_field,
        unnest(
            case
                when json_array_length(new_value, '$.lines') > 0
                    then list_transform(
                            from_json(
                                json_extract(new_value, '$.lines'),
                                '{{ changed_lines }}'
                            ),
                            lambda line: {
                                'object_key':
                                json_extract_string(new_value, '$.document')
                                || '|' || line.order_line_id,
                                'value': line.shipped_quantity
                            }
                        )
                else [{
                        'object_key': object_id,
                        'value': try_cast(
                            json_extract_string(new_value, '$.' || effect_field) as decimal(18, 6)
                        )
                    }]
            end,
            recursive := true
        )
    from accepted
    where effect_shape = 'value'
),

value_effects as (
    select
        expected_values.correction_key,
        expected_values.object_key,
        versions.raw_key,
        versions.entity,
        versions.system
    from expected_values
    left join {{ ref('attribute_versions') }} as versions
        on
            expected_values.target_system = versions.system
            and expected_values.effect_field = versions.field
            and expected_values.object_key = versions.object_key
            and expected_values.value = versions.value
            and versions.valid_to_latest is null
),

-- A balance moves on; what shows that ours was set is the movement that carries our key.
movement_effects as (
    select
        accepted.correction_key,
        movements.raw_key,
        movements.entity,
        movements.system
    from accepted
    inner join effect_entities
        on accepted.correction_key = effect_entities.correction_key
    inner join {{ ref('inventory_movements') }} as movements
        on
            effect_entities.system = movements.system
            and effect_entities.entity = movements.entity
            and case
                when accepted.effect_key is null
                    then
                        accepted.idempotency_key = movements.origin
                        or accepted.target_record_id = movements.record_id
                else
                    movements.document = {{ effect_reference('document') }}
                    and movements.source_item
                    = json_extract_string(accepted.payload, '$.target_item')
                    and movements.source_location
                    = json_extract_string(accepted.payload, '$.target_location')
                    and movements.on_hand_change = try_cast(
                        json_extract_string(accepted.payload, '$.quantity') as decimal(18, 6)
                    )
            end
    where accepted.effect_shape = 'movement'
),

parts as (
    select
        correction_key,
        cast(line_position as varchar) as part
    from numbered_lines
    union all
    select
        correction_key,
        object_key as part
    from expected_values
    union all
    select
        correction_key,
        'movement' as part
    from accepted
    where effect_shape = 'movement'
),

sightings as (
    select
        correction_key,
        cast(line_position as varchar) as part,
        raw_key,
        entity,
        system
    from line_effects
    union all
    select
        correction_key,
        object_key as part,
        raw_key,
        entity,
        system
    from value_effects
    union all
    select
        correction_key,
        'movement' as part,
        raw_key,
        entity,
        system
    from movement_effects
),

-- What stands is what the extractions since acceptance show: a feed of changes does not tell again
-- what one told that ran while the target was accepting. Older than the correction is no effect.
proven_parts as (
    select
        sightings.correction_key,
        sightings.part,
        min(sightings.raw_key) as raw_key
    from sightings
    inner join accepted
        on sightings.correction_key = accepted.correction_key
    inner join {{ ref('stg_log__extractions') }} as extractions
        on
            sightings.system = extractions.system
            and sightings.entity = extractions.entity
            and string_split(sightings.raw_key, '|')[-1] = extractions.extraction_id
            and accepted.created_at < extractions.extraction_started_at
    group by sightings.correction_key, sightings.part
),

effects as (
    select
        parts.correction_key,
        bool_and(proven_parts.raw_key is not null) as effect_observed,
        min(proven_parts.raw_key) as effect_raw_key
    from parts
    left join proven_parts
        on
            parts.correction_key = proven_parts.correction_key
            and parts.part = proven_parts.part
    group by parts.correction_key
),

joined as (
    select
        accepted.correction_key,
        accepted.state,
        accepted.created_at,
        accepted.accepted_at,
        coalesce(readings.extractions_since, 0) as extractions_since,
        coalesce(effects.effect_observed, false) as effect_observed,
        case when effects.effect_observed then effects.effect_raw_key end as effect_raw_key,
        coalesce(drifts.exceptions_open, 0) as exceptions_open,
        coalesce(drifts.drift_count, 0) as drift_count,
        drifts.last_healed_at
    from accepted
    left join readings
        on accepted.correction_key = readings.correction_key
    left join effects
        on accepted.correction_key = effects.correction_key
    left join drifts
        on accepted.correction_key = drifts.correction_key
)

select
    correction_key,
    state,
    accepted_at,
    cast(extractions_since as integer) as extractions_since,
    effect_observed,
    effect_raw_key,
    cast(exceptions_open as integer) as exceptions_open,
    case
        when extractions_since = 0 then 'waiting'
        when drift_count = 0 then 'moot'
        when exceptions_open = 0 and last_healed_at < created_at then 'moot'
        when effect_observed and exceptions_open = 0 then 'verified'
        when extractions_since >= 2 then 'unproven'
        else 'waiting'
    end as verdict
from joined
