-- One milestone of one order line or package as told by one system, with when it was taken back.
with observations as (
    select * from {{ ref('int_order_events') }}
),

-- Most is told once, in one version: only the rest pays for being drawn together. A milestone may
-- be set, cleared and set again: each such run is an event of its own. Hardly any ever is, so that
-- only those few pay for finding out where a run begins.
retold as (
    select
        system,
        entity,
        record_id,
        object_type,
        milestone,
        coalesce(
            max(version_number) filter (where not is_set)
            > min(version_number) filter (where is_set),
            false
        ) as is_cleared,
        coalesce(
            min(quantity) filter (where is_set) <> max(quantity) filter (where is_set), false
        ) as is_remeasured
    from observations
    group by system, entity, record_id, object_type, milestone
    having count(*) > 1
),

versions as (
    select
        observations.*,
        retold.is_cleared,
        retold.is_remeasured
    from observations
    inner join retold
        on
            observations.system = retold.system
            and observations.entity = retold.entity
            and observations.record_id = retold.record_id
            and observations.object_type = retold.object_type
            and observations.milestone = retold.milestone
),

run_starts as (
    select
        *,
        is_set and not coalesce(
            lag(is_set) over (
                partition by system, entity, record_id, object_type, milestone
                order by version_number
            ),
            false
        ) as is_run_start
    from versions
    where is_cleared
),

numbered as (
    select
        * exclude (is_run_start),
        count_if(is_run_start) over (
            partition by system, entity, record_id, object_type, milestone
            order by version_number
        ) as ordinal
    from run_starts
    union all by name
    select
        *,
        1 as ordinal
    from versions
    where is_set and not is_cleared
),

-- When it was recorded is what the first version said; everything else is what the last one says.
runs as (
    select
        system,
        entity,
        record_id,
        object_type,
        milestone,
        ordinal,
        arg_min(
            struct_pack(
                occurred_at := occurred_at,
                occurred_from := occurred_from,
                occurred_to := occurred_to,
                recorded_from := recorded_from,
                recorded_to := recorded_to,
                seen_at := seen_at,
                is_first_load := is_first_load
            ),
            version_number
        ) filter (where is_set) as first_told,
        arg_max(occurred_at, version_number) filter (where is_set) as standing_at,
        arg_max(
            struct_pack(
                source_status := source_status,
                mapping_method := mapping_method,
                reason_code := reason_code,
                link_type := link_type,
                link_key := link_key,
                link_system := link_system,
                document := document,
                own_document := own_document,
                line_record := line_record,
                party_id := party_id,
                party_reference := party_reference,
                item_id := item_id,
                location_id := location_id,
                quantity := quantity,
                unit_price := unit_price,
                currency := currency,
                promised_at := promised_at,
                reversed_from := reversed_from,
                reversed_to := reversed_to,
                origin := origin,
                raw_key := raw_key
            ),
            version_number
        ) filter (where is_set) as last_told,
        min(reversed_from) filter (where not is_set) as cleared_from,
        min(reversed_to) filter (where not is_set) as cleared_to
    from numbered
    where ordinal > 0
    group by system, entity, record_id, object_type, milestone, ordinal
),

-- When each version was written. A source that does not tell wrote it between two looks.
written as (
    select
        numbered.*,
        case
            when version_number = min(version_number) over run_history then recorded_from
            else coalesce(updated_from, lag(seen_at) over run_history)
        end as written_from,
        case
            when version_number = min(version_number) over run_history then recorded_to
            else coalesce(updated_to, seen_at)
        end as written_to
    from numbered
    where is_remeasured and is_set and ordinal > 0
    window run_history as (
        partition by system, entity, record_id, object_type, milestone, ordinal
        order by version_number
    )
),

-- How much more or less of it there was from one version on: not before the milestone itself, nor
-- before the version before, whatever a clock said that was set back.
quantity_changes as (
    select
        system,
        entity,
        record_id,
        object_type,
        milestone,
        ordinal,
        list(
            struct_pack(
                change := cast(quantity - quantity_before as decimal(18, 6)),
                changed_from := least(changed_from, changed_to),
                changed_to := changed_to
            )
            order by version_number
        ) as quantity_changes
    from (
        select
            *,
            lag(quantity ignore nulls) over run_history as quantity_before,
            max(written_from) over run_history as changed_from,
            max(written_to) over run_history as changed_to
        from written
        window run_history as (
            partition by system, entity, record_id, object_type, milestone, ordinal
            order by version_number
        )
    ) as told_quantities
    where quantity <> quantity_before
    group by system, entity, record_id, object_type, milestone, ordinal
),

-- Where another date stands than was told first, since when. (The offset of a clock differs from
-- one measurement to the next: that makes no other date.)
moved as (
    select
        system,
        entity,
        record_id,
        object_type,
        milestone,
        ordinal,
        standing_at
    from runs
    where abs(epoch(standing_at) - epoch(first_told.occurred_at)) > 60
),

redated as (
    select
        moved.system,
        moved.entity,
        moved.record_id,
        moved.object_type,
        moved.milestone,
        moved.ordinal,
        arg_min({{ occurred_bracket('from', 'numbered.') }}, numbered.version_number)
            as redated_from,
        arg_min({{ occurred_bracket('to', 'numbered.') }}, numbered.version_number) as redated_to,
        min(numbered.seen_at) as redated_seen_at
    from numbered
    inner join moved
        on
            numbered.system = moved.system
            and numbered.entity = moved.entity
            and numbered.record_id = moved.record_id
            and numbered.object_type = moved.object_type
            and numbered.milestone = moved.milestone
            and numbered.ordinal = moved.ordinal
    where
        numbered.is_set
        and abs(epoch(numbered.occurred_at) - epoch(moved.standing_at)) <= 60
    group by
        moved.system, moved.entity, moved.record_id, moved.object_type, moved.milestone,
        moved.ordinal
),

told as (
    select
        runs.system,
        runs.entity,
        runs.record_id,
        runs.object_type,
        runs.milestone,
        runs.ordinal,
        unnest(runs.first_told),
        unnest(runs.last_told),
        runs.cleared_from,
        runs.cleared_to,
        quantity_changes.quantity_changes,
        redated.redated_from,
        redated.redated_to,
        redated.redated_seen_at
    from runs
    left join quantity_changes
        on
            runs.system = quantity_changes.system
            and runs.entity = quantity_changes.entity
            and runs.record_id = quantity_changes.record_id
            and runs.object_type = quantity_changes.object_type
            and runs.milestone = quantity_changes.milestone
            and runs.ordinal = quantity_changes.ordinal
    left join redated
        on
            runs.system = redated.system
            and runs.entity = redated.entity
            and runs.record_id = redated.record_id
            and runs.object_type = redated.object_type
            and runs.milestone = redated.milestone
            and runs.ordinal = redated.ordinal
    union all by name
    select
        observations.* exclude (is_set, version_number, updated_from, updated_to),
        1 as ordinal
    from observations
    anti join retold
        on
            observations.system = retold.system
            and observations.entity = retold.entity
            and observations.record_id = retold.record_id
            and observations.object_type = retold.object_type
            and observations.milestone = retold.milestone
    where observations.is_set
),

flattened as (
    select
        told.*,
        systems.role
    from told
    inner join {{ ref('dim_systems') }} as systems
        on told.system = systems.system
),

-- Who keeps nothing at a place can't be meant by what happens there: two ERPs may have given one
-- number. Of whom no place is known, any may be.
places as (
    select
        system,
        list(distinct location_id) as kept_places
    from {{ ref('dim_locations') }}
    group by system
),

links as (
    select
        links.*,
        places.kept_places
    from {{ ref('object_link_scopes') }} as links
    left join places
        on links.told_by = places.system
),

linked as (
    select
        flattened.*,
        case
            when flattened.link_type = 'order_line' then flattened.link_key
            when coalesce(list_contains(links.kept_places, flattened.location_id), true)
                then links.order_line_id
        end as order_line_id,
        case
            -- What is linked as what it is names itself: a package, a message, a whole order.
            when flattened.link_type in (flattened.object_type, 'order_line')
                then flattened.link_key
            when coalesce(list_contains(links.kept_places, flattened.location_id), true)
                then links.order_line_id
        end as object_id,
        -- A carrier knows packages, not lines: the packing list says how much of a line it carries.
        coalesce(flattened.quantity, links.quantity) as linked_quantity
    from flattened
    -- What is no line has none to look for.
    left join links
        on
            case
                when flattened.link_type not in (flattened.object_type, 'order_line')
                    then flattened.link_type
            end = links.object_type
            and flattened.link_key = links.object_key
            and coalesce(flattened.link_system, '*') = links.scope
),

-- What we sent ourselves comes back as an event: it may discharge a duty, but must not create one.
echoes as (
    select
        corrections.target_system as system,
        kinds.effect_milestone as milestone,
        corrections.idempotency_key as origin,
        case when kinds.is_creating then corrections.target_record_id end as own_document
    from {{ ref('stg_tallyman__corrections') }} as corrections
    inner join {{ ref('dim_systems') }} as systems
        on corrections.target_system = systems.system
    inner join {{ ref('correction_kinds') }} as kinds
        on corrections.kind = kinds.kind and systems.role = kinds.target_role
    where corrections.is_latest and kinds.effect_milestone is not null
),

-- An effect answers to its correction by the key that was sent; where the target shows none, by
-- the number of the document that it made.
echo_origins as (
    select distinct
        system,
        milestone,
        origin
    from echoes
),

echo_documents as (
    select distinct
        system,
        milestone,
        own_document
    from echoes
)

select
    {{ identity([
        'linked.system', 'linked.entity', 'linked.record_id', 'linked.object_type',
        'linked.milestone', 'linked.ordinal', 'linked.order_line_id',
    ]) }} as event_id,
    linked.system,
    linked.role,
    linked.entity,
    linked.record_id,
    linked.milestone,
    cast(linked.ordinal as integer) as ordinal,
    linked.object_type,
    linked.object_id,
    regexp_extract(linked.order_line_id, '^(.*)/[^/]*$', 1) as order_id,
    linked.order_line_id,
    linked.document,
    linked.own_document,
    linked.line_record,
    linked.party_id,
    linked.party_reference,
    linked.item_id,
    linked.location_id,
    linked.linked_quantity as quantity,
    case when linked.quantity is not null then linked.quantity_changes end as quantity_changes,
    linked.unit_price,
    linked.currency,
    linked.source_status,
    linked.mapping_method,
    linked.reason_code,
    linked.occurred_at,
    {{ occurred_bracket('from', 'linked.') }} as occurred_from,
    {{ occurred_bracket('to', 'linked.') }} as occurred_to,
    linked.redated_from,
    linked.redated_to,
    linked.redated_seen_at,
    linked.promised_at,
    linked.recorded_from,
    linked.recorded_to,
    coalesce(linked.cleared_from, linked.reversed_from, deleted.deleted_from) as reversed_from,
    coalesce(linked.cleared_to, linked.reversed_to, deleted.deleted_to) as reversed_to,
    linked.seen_at,
    linked.is_first_load,
    linked.origin,
    echo_origins.origin is not null or echo_documents.own_document is not null as is_echo,
    linked.raw_key
from linked
-- What a record said is taken back when the record vanishes.
left join {{ ref('int_deleted_records') }} as deleted
    on
        linked.system = deleted.system
        and linked.entity = deleted.entity
        and linked.record_id = deleted.record_id
left join echo_origins
    on
        linked.system = echo_origins.system
        and linked.milestone = echo_origins.milestone
        and linked.origin = echo_origins.origin
left join echo_documents
    on
        linked.system = echo_documents.system
        and linked.milestone = echo_documents.milestone
        and linked.own_document = echo_documents.own_document
