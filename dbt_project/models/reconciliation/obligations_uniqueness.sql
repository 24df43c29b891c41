-- Family uniqueness: one business fact, one document. One model for every rule of the family.
{{ config(materialized='view') }}

with rules as (
    select
        rules.*,
        {{ list_of('a_milestone') }} as a_milestones,
        {{ list_of('b_milestone') }} as b_milestones,
        {{ list_of('match_on') }} as matched_on,
        {{ list_of('discharged_by') }} as discharges,
        to_hours(cast(nullif(regexp_extract(match_on, '\b(\d+)h\b', 1), '') as integer))
            as window_span
    from {{ ref('rules_in_force') }} as rules
    where family = 'uniqueness'
),

-- A row for each milestone: facts are found by equality, and not by looking into lists.
a_rules as (
    select
        *,
        unnest(a_milestones) as milestone
    from rules
),

b_rules as (
    select
        *,
        unnest(b_milestones) as milestone
    from rules
),

facts as (
    select * from {{ ref('facts') }}
),

-- Taken back, or ended by what the rule says ends it (an order by its cancellation).
discharge_events as (
    select
        rule_id,
        unnest(discharges) as discharge
    from rules
),

line_ends as (
    select
        discharge_events.rule_id,
        facts.system,
        facts.own_document,
        facts.line_record,
        min(facts.recorded_from) as ended_from,
        min(facts.recorded_to) as ended_to
    from discharge_events
    inner join facts
        on
            split_part(discharge_events.discharge, '.', 1) = facts.role
            and split_part(discharge_events.discharge, '.', 2) = facts.milestone
            and facts.reversed_to is null
    group by
        discharge_events.rule_id, facts.system, facts.own_document, facts.line_record
),

a_lines as (
    select
        rules.rule_id,
        rules.object_type as rule_object_type,
        rules.grace_minutes,
        rules.matched_on,
        rules.window_span,
        rules.cover,
        routes.a_system,
        facts.*,
        coalesce(facts.reversed_from, line_ends.ended_from) as ended_from,
        coalesce(facts.reversed_to, line_ends.ended_to) as ended_to,
        cast(abs(facts.quantity) as decimal(38, 6)) * terms.unit_price as line_value,
        terms.currency
    from facts
    inner join a_rules as rules
        on
            facts.role = rules.a_role
            and facts.milestone = rules.milestone
            and facts.object_type
            = case
                when rules.object_type in ('movement', 'package') then rules.object_type
                else 'order_line'
            end
    inner join {{ ref('rule_routes') }} as routes
        on
            rules.rule_id = routes.rule_id
            and rules.a_role = routes.role
            and facts.system = routes.system
    left join line_ends
        on
            rules.rule_id = line_ends.rule_id
            and facts.system = line_ends.system
            and facts.own_document = line_ends.own_document
            and facts.line_record = line_ends.line_record
    left join {{ ref('order_line_terms') }} as terms
        on facts.order_line_id = terms.order_line_id
),

-- A fact is a whole document, or a package in one; it stands as long as one of its lines stands.
documents as (
    select
        rule_id,
        a_system,
        own_document,
        case when rule_object_type = 'package' then object_id end as package,
        any_value(rule_object_type) as rule_object_type,
        any_value(grace_minutes) as grace_minutes,
        any_value(cover) as cover,
        any_value(matched_on) as matched_on,
        any_value(window_span) as window_span,
        min(document) as document,
        -- Texts are made of sorted lists: `string_agg` in an order sorts each group by itself.
        list_aggregate(list_sort(list_distinct(list(document))), 'string_agg', ',')
            as all_documents,
        any_value(object_id) as object_id,
        any_value(milestone) as milestone,
        min(order_id) as order_id,
        min(party_id || '|' || party_reference) as party,
        -- Not just any of several: that would depend on the order in which rows arrived.
        case when min(order_line_id) = max(order_line_id) then min(order_line_id) end
            as order_line_id,
        case when min(item_id) = max(item_id) then min(item_id) end as item_id,
        case when min(location_id) = max(location_id) then min(location_id) end as location_id,
        sum(quantity) as quantity,
        min(recorded_from) as recorded_from,
        min(recorded_to) as recorded_to,
        case when count(*) = count(ended_to) then max(ended_from) end as ended_from,
        case when count(*) = count(ended_to) then max(ended_to) end as ended_to,
        bool_and(is_echo) as is_echo,
        any_value(origin) as origin,
        -- A document of several lines has no one price: it is worth its lines, in one currency.
        case when min(currency) = max(currency) then sum(line_value) end as document_value,
        case when min(currency) = max(currency) then min(currency) end as currency,
        max(seen_at) as seen_at,
        bool_and(is_first_load) as is_first_load,
        min(raw_key) as raw_key,
        case
            when any_value(rule_object_type) = 'movement' then cast(abs(sum(quantity)) as varchar)
            else
                list_aggregate(
                    list_transform(
                        list_sort(list(struct_pack(
                            line := order_line_id, record := line_record, quantity := quantity
                        ))),
                        lambda told: coalesce(told.line, told.record) || '=' || told.quantity
                    ),
                    'string_agg', ','
                )
        end as lines,
        -- What was ordered, whatever the order: unknown as long as one of its items is.
        case
            when count(*) = count(item_id)
                then list_aggregate(list_sort(list(item_id || '=' || quantity)), 'string_agg', ',')
        end as items
    from a_lines
    group by rule_id, a_system, own_document, package
),

-- A package may hold several shipments of one order; of two orders it should not.
shared_packages as (
    select object_key as package
    from {{ ref('object_links') }}
    where object_type = 'package'
    group by object_key
    having count(distinct order_id) > 1
),

-- What was taken back, or says that it is no new fact, as it appeared never stood.
named as (
    select
        documents.*,
        case
            when rule_object_type = 'movement'
                then {{ match_key('matched_on', 'documents') }} || '|' || milestone
        end as movement_key,
        case
            when rule_object_type = 'movement' then movement_key || '|' || lines
            when rule_object_type = 'package' then shared_packages.package
            else
                case when list_contains(matched_on, 'order') then order_id else '' end
                || '|'
                || case when list_contains(matched_on, 'party') then party else '' end
                || '|'
                || case when list_contains(matched_on, 'document') then all_documents else '' end
                || '|'
                || case when list_contains(matched_on, 'location') then location_id else '' end
                || '|'
                || case
                    when list_contains(matched_on, 'day')
                        then cast({{ by_time_zone(
                            'cast(timezone(time_zone, recorded_from) as date)'
                        ) }} as varchar)
                    else ''
                end
                || '|'
                || case when list_contains(matched_on, 'items') then items else lines end
        end as fact_key,
        case when rule_object_type = 'movement' then sign(quantity) else 1 end as direction
    from documents
    left join shared_packages
        on documents.package = shared_packages.package
    -- A day is one of the calendar of who told it.
    left join {{ ref('dim_systems') }} as systems
        on documents.a_system = systems.system
    where coalesce(documents.ended_to > documents.recorded_to, true)
),

-- Long after the one before, where a rule says how long, it is a new fact: a standing order.
keyed as (
    select
        * exclude (is_apart) replace (
            case
                when window_span is null then fact_key
                else fact_key || '|' || count_if(is_apart) over up_to_now
            end as fact_key
        )
    from (
        select
            *,
            coalesce(recorded_from > lag(recorded_to) over up_to_now + window_span, false)
                as is_apart
        from named
        window up_to_now as (
            partition by rule_id, a_system, fact_key
            order by recorded_to, recorded_from, own_document
        )
    ) as spaced
    window up_to_now as (
        partition by rule_id, a_system, fact_key
        order by recorded_to, recorded_from, own_document
        rows between unbounded preceding and current row
    )
),

-- What we sent ourselves is no double, but for what a target made of one request beyond the first.
echoed_once as (
    select
        rule_id,
        a_system,
        arg_min(own_document, (recorded_to, recorded_from, own_document)) as own_document
    from documents
    where is_echo
    group by rule_id, a_system, coalesce(origin, own_document)
),

-- Stock may move as often in the copy as it did in the original. A movement in the other direction
-- takes one back.
originals as (
    select
        rules.rule_id,
        routes.a_system,
        {{ match_key('rules.matched_on', 'facts') }} || '|' || facts.milestone as movement_key,
        movement_key || '|' || cast(abs(facts.quantity) as varchar) as fact_key,
        abs(sum(sign(facts.quantity))) as original_count,
        sum(facts.quantity) as original_moved
    from facts
    inner join b_rules as rules
        on
            facts.role = rules.b_role
            and facts.milestone = rules.milestone
            and facts.object_type = rules.object_type
    inner join {{ ref('rule_routes') }} as routes
        on
            rules.rule_id = routes.rule_id
            and rules.b_role = routes.role
            and facts.system = routes.system
    where rules.cover = 'counterpart'
    group by all
),

-- In how many parts matters as little as that they are equal.
original_sums as (
    select
        rule_id,
        a_system,
        movement_key,
        sum(original_moved) as original_moved
    from originals
    group by rule_id, a_system, movement_key
),

-- A shipment may be invoiced in equal parts: as many as it bears, beside what else is invoiced.
shipped as (
    select
        rules.rule_id,
        routes.a_system,
        facts.document,
        facts.order_line_id,
        sum(facts.quantity) as quantity
    from facts
    inner join {{ ref('rule_routes') }} as routes
        on facts.role = routes.role and facts.system = routes.system
    inner join rules
        on routes.rule_id = rules.rule_id and routes.role <> rules.a_role
    where
        rules.cover = 'shipped'
        and facts.milestone = 'shipped'
        and facts.object_type = 'order_line'
        and facts.reversed_to is null
    group by rules.rule_id, routes.a_system, facts.document, facts.order_line_id
),

parts as (
    select
        a_lines.rule_id,
        a_lines.a_system,
        a_lines.document,
        a_lines.order_line_id,
        a_lines.quantity,
        keyed.fact_key,
        sum(case when a_lines.ended_to is null then a_lines.quantity else 0 end) over of_line
        - sum(case when a_lines.ended_to is null then a_lines.quantity else 0 end) over of_equals
            as quantity_of_others
    from a_lines
    inner join keyed
        on
            a_lines.rule_id = keyed.rule_id
            and a_lines.a_system = keyed.a_system
            and a_lines.own_document = keyed.own_document
    where a_lines.cover = 'shipped'
    window
        of_line as (
            partition by
                a_lines.rule_id, a_lines.a_system, a_lines.document, a_lines.order_line_id
        ),
        of_equals as (
            partition by
                a_lines.rule_id, a_lines.a_system, a_lines.document, a_lines.order_line_id,
                keyed.fact_key
        )
),

borne as (
    select
        parts.rule_id,
        parts.a_system,
        parts.fact_key,
        min(
            case
                when parts.quantity > 0
                    then
                        coalesce(
                            floor((shipped.quantity - parts.quantity_of_others) / parts.quantity), 1
                        )
                else 1
            end
        ) as borne_count
    from parts
    left join shipped
        on
            parts.rule_id = shipped.rule_id
            and parts.a_system = shipped.a_system
            and parts.document = shipped.document
            and parts.order_line_id = shipped.order_line_id
    group by parts.rule_id, parts.a_system, parts.fact_key
),

changes as (
    select
        keyed.*,
        keyed.recorded_from as changed_from,
        keyed.recorded_to as changed_to,
        keyed.direction as change,
        keyed.quantity as moved_change,
        true as is_appearance
    from keyed
    where keyed.fact_key is not null
    union all by name
    select
        keyed.*,
        keyed.ended_from as changed_from,
        keyed.ended_to as changed_to,
        -keyed.direction as change,
        -keyed.quantity as moved_change,
        false as is_appearance
    from keyed
    where keyed.fact_key is not null and keyed.ended_to is not null
),

first_directions as (
    select
        *,
        first_value(direction) over key_history as usual_direction,
        sum(change) over key_history as balance,
        sum(moved_change) over movement_history as moved
    from changes
    window
        key_history as (
            partition by rule_id, a_system, fact_key
            order by changed_to, changed_from, is_appearance, own_document
            rows between unbounded preceding and current row
        ),
        movement_history as (
            partition by rule_id, a_system, movement_key
            order by changed_to, changed_from, is_appearance, own_document
            rows between unbounded preceding and current row
        )
),

counted as (
    select
        first_directions.*,
        first_directions.balance * first_directions.usual_direction as standing,
        cast(
            greatest(coalesce(originals.original_count, borne.borne_count, 1), 1) as bigint
        ) as allowed,
        first_directions.moved - original_sums.original_moved as excess
    from first_directions
    left join originals
        on
            first_directions.rule_id = originals.rule_id
            and first_directions.a_system = originals.a_system
            and first_directions.fact_key = originals.fact_key
    left join original_sums
        on
            first_directions.rule_id = original_sums.rule_id
            and first_directions.a_system = original_sums.a_system
            and first_directions.movement_key = original_sums.movement_key
    left join borne
        on
            first_directions.rule_id = borne.rule_id
            and first_directions.a_system = borne.a_system
            and first_directions.fact_key = borne.fact_key
),

duplicates as (
    select counted.*
    from counted
    anti join echoed_once
        on
            counted.rule_id = echoed_once.rule_id
            and counted.a_system = echoed_once.a_system
            and counted.own_document = echoed_once.own_document
    where
        counted.is_appearance
        and counted.direction = counted.usual_direction
        and counted.standing > counted.allowed
        -- Of what the original does not know, any second one is too many.
        and coalesce(counted.excess * counted.usual_direction > 0, true)
),

-- The surplus is gone when few enough stand; a movement that was taken back ends the last one.
few_enough as (
    select
        duplicates.rule_id,
        duplicates.a_system,
        duplicates.fact_key,
        duplicates.own_document,
        min(counted.changed_from) as end_from,
        min(counted.changed_to) as end_to
    from duplicates
    inner join counted
        on
            duplicates.rule_id = counted.rule_id
            and duplicates.a_system = counted.a_system
            and duplicates.fact_key = counted.fact_key
            and (
                (
                    (counted.changed_to, counted.changed_from, counted.own_document)
                    > (
                        duplicates.changed_to, duplicates.changed_from, duplicates.own_document
                    )
                    and (
                        counted.standing <= counted.allowed
                        or (
                            duplicates.rule_object_type = 'movement'
                            and duplicates.standing > counted.standing
                        )
                    )
                )
                or (duplicates.own_document = counted.own_document and not counted.is_appearance)
            )
    group by
        duplicates.rule_id, duplicates.a_system, duplicates.fact_key, duplicates.own_document
),

-- Or when no more moved than in the original, in whatever parts.
evened_out as (
    select
        duplicates.rule_id,
        duplicates.a_system,
        duplicates.fact_key,
        duplicates.own_document,
        min(counted.changed_from) as end_from,
        min(counted.changed_to) as end_to
    from duplicates
    inner join counted
        on
            duplicates.rule_id = counted.rule_id
            and duplicates.a_system = counted.a_system
            and duplicates.movement_key = counted.movement_key
            and counted.excess * duplicates.usual_direction <= 0
            and (counted.changed_to, counted.changed_from, counted.own_document)
            > (duplicates.changed_to, duplicates.changed_from, duplicates.own_document)
    group by
        duplicates.rule_id, duplicates.a_system, duplicates.fact_key, duplicates.own_document
),

ends as (
    select
        rule_id,
        a_system,
        fact_key,
        own_document,
        min(end_from) as end_from,
        min(end_to) as end_to
    from (
        select * from few_enough
        union all
        select * from evened_out
    ) as all_ends
    group by rule_id, a_system, fact_key, own_document
)

select
    duplicates.rule_id,
    duplicates.a_system,
    duplicates.own_document as a_record_id,
    duplicates.milestone,
    1 as ordinal,
    duplicates.rule_object_type as object_type,
    case duplicates.rule_object_type
        when 'movement' then duplicates.document
        when 'package' then duplicates.package
        else duplicates.own_document
    end as object_id,
    duplicates.order_id,
    duplicates.order_line_id,
    duplicates.document,
    duplicates.own_document,
    cast(null as varchar) as line_record,
    cast(null as varchar) as field,
    duplicates.item_id,
    duplicates.location_id,
    duplicates.quantity,
    {{ held_value('duplicates.document_value') }} as document_value,
    duplicates.currency as document_currency,
    cast(duplicates.allowed as varchar) as expected_value,
    cast(duplicates.standing as varchar) as observed_value,
    true as is_linked,
    duplicates.recorded_to + to_minutes(duplicates.grace_minutes) as due_at,
    ends.end_from,
    ends.end_to,
    case when ends.end_to is not null then 'taken_back' end as end_reason,
    duplicates.seen_at as first_seen_at,
    duplicates.is_first_load,
    duplicates.raw_key
from duplicates
left join ends
    on
        duplicates.rule_id = ends.rule_id
        and duplicates.a_system = ends.a_system
        and duplicates.fact_key = ends.fact_key
        and duplicates.own_document = ends.own_document
