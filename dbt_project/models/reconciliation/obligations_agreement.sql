-- Family agreement: a copy must follow the authority in time. One model for every compared field.
{{ config(materialized='view') }}

with compared as (
    select
        rules.rule_id,
        fields.object_type,
        fields.field,
        fields.copy_field,
        fields.copy_object_type,
        fields.tolerance,
        coalesce(fields.tolerance_percent, 0) as tolerance_percent,
        rules.a_role,
        rules.b_role,
        rules.grace_minutes,
        a_routes.a_system,
        b_routes.system as b_system,
        coalesce(authorities.authoritative_role, rules.a_role) as authoritative_role
    from {{ ref('rules_in_force') }} as rules
    inner join {{ ref('compared_fields') }} as fields
        on rules.rule_id = fields.rule_id
    {{ instances_of_both_sides() }}
    left join {{ ref('authorities') }} as authorities
        on
            fields.object_type = authorities.object_type
            and fields.field = authorities.field
            and a_routes.a_system = authorities.a_system
    where rules.family = 'agreement'
),

-- Who holds the right value: a role, or, where one system holds both, the field.
sides as (
    select
        *,
        field as held_field,
        object_type as held_object_type,
        cast(null as boolean) as is_authority_field
    from compared
    where copy_field is null
    union all
    select
        *,
        unnest([field, copy_field]) as held_field,
        unnest([object_type, coalesce(copy_object_type, object_type)]) as held_object_type,
        unnest([true, false]) as is_authority_field
    from compared
    where copy_field is not null
),

told as (
    select
        sides.*,
        coalesce(
            sides.is_authority_field, values_held.role = sides.authoritative_role
        ) as is_authority,
        values_held.object_key,
        values_held.object_id,
        values_held.order_line_id,
        case
            when sides.held_object_type in ('shipment_line', 'invoice', 'invoice_line')
                then values_held.document
        end as document,
        values_held.value,
        values_held.valid_from_earliest as changed_from,
        values_held.valid_from_latest as changed_to,
        values_held.valid_to_latest as replaced_at,
        values_held.seen_at,
        values_held.is_first_load,
        values_held.raw_key,
        values_held.attribute_version_id
    from sides
    inner join {{ ref('attribute_versions') }} as values_held
        on
            sides.held_object_type = values_held.object_type
            and sides.held_field = values_held.field
            and values_held.system in (sides.a_system, sides.b_system)
),

-- Of one object there may be several copies, each of which must follow: the price of a line in each
-- of its invoices.
several_copies as (
    select distinct
        rule_id,
        a_system,
        b_system,
        field,
        object_id,
        object_key
    from told
    where copy_object_type is not null and not is_authority
),

versions as (
    select * from told
    where copy_object_type is null or not is_authority
    union all
    select told.* replace (coalesce(several_copies.object_key, told.object_key) as object_key)
    from told
    left join several_copies
        on
            told.rule_id = several_copies.rule_id
            and told.a_system = several_copies.a_system
            and told.b_system = several_copies.b_system
            and told.field = several_copies.field
            and told.object_id = several_copies.object_id
    where told.copy_object_type is not null and told.is_authority
),

-- Most objects always agreed: the rest of the work is for those that ever did not.
suspects as (
    select
        rule_id,
        a_system,
        b_system,
        field,
        object_key
    from versions
    group by rule_id, a_system, b_system, field, object_key
    having
        count_if(is_authority) > 0
        and count_if(not is_authority) > 0
        and (max(value) - min(value) > any_value(tolerance) or count(value) < count(*))
),

-- Both sides on one time line: at every change, what each of them holds from then on. Of two values
-- that a record had at one moment, the one that was replaced at once came first.
timeline as (
    select
        versions.*,
        last_value(
            case when versions.is_authority then struct_pack(held := versions.value) end
            ignore nulls
        ) over up_to_now as authority_state,
        last_value(
            case when not versions.is_authority then struct_pack(held := versions.value) end
            ignore nulls
        ) over up_to_now as copy_state,
        lead(versions.changed_from) over object_history as until_from,
        lead(versions.changed_to) over object_history as until_to,
        row_number() over object_history as position
    from versions
    inner join suspects
        on
            versions.rule_id = suspects.rule_id
            and versions.a_system = suspects.a_system
            and versions.b_system = suspects.b_system
            and versions.field = suspects.field
            and versions.object_key = suspects.object_key
    window
        object_history as (
            partition by
                versions.rule_id, versions.a_system, versions.b_system, versions.field,
                versions.object_key
            order by
                versions.changed_to, versions.changed_from, versions.replaced_at nulls last,
                versions.attribute_version_id
        ),
        up_to_now as (
            partition by
                versions.rule_id, versions.a_system, versions.b_system, versions.field,
                versions.object_key
            order by
                versions.changed_to, versions.changed_from, versions.replaced_at nulls last,
                versions.attribute_version_id
            rows between unbounded preceding and current row
        )
),

segments as (
    select
        * replace (
            greatest(tolerance, abs(authority_state.held) * tolerance_percent / 100) as tolerance
        ),
        authority_state.held as authority_value,
        copy_state.held as copy_value,
        authority_state.held is not null and copy_state.held is not null as is_comparable,
        coalesce(
            abs(authority_state.held - copy_state.held)
            > greatest(tolerance, abs(authority_state.held) * tolerance_percent / 100),
            false
        ) as is_different
    from timeline
),

-- One island of disagreement for each value of the copy that the authority does not share.
islands as (
    select
        *,
        count_if(starts_island) over (
            partition by rule_id, a_system, b_system, field, object_key
            order by position
        ) as island
    from (
        select
            *,
            is_different
            and (
                not coalesce(lag(is_different) over object_history, false)
                or copy_value is distinct from lag(copy_value) over object_history
            ) as starts_island
        from segments
        window object_history as (
            partition by rule_id, a_system, b_system, field, object_key order by position
        )
    ) as marked
),

disagreements as (
    select
        rule_id,
        a_system,
        b_system,
        field,
        object_key,
        island,
        any_value(object_type) as object_type,
        any_value(object_id) as object_id,
        any_value(order_line_id) as order_line_id,
        max(document) as document,
        any_value(grace_minutes) as grace_minutes,
        any_value(tolerance) as tolerance,
        min(position) as first_position,
        min(changed_from) as began_from,
        min(changed_to) as began_to,
        arg_max(until_from, position) as end_from,
        arg_max(until_to, position) as end_to,
        any_value(copy_value) as copy_value,
        arg_max(authority_value, position) as authority_value,
        max(seen_at) as first_seen_at,
        bool_and(is_first_load) as is_first_load,
        arg_min(raw_key, position) as raw_key
    from islands
    where is_different and island > 0
    group by rule_id, a_system, b_system, field, object_key, island
),

-- Since when the copy has been wrong: they last agreed, or the authority last held its value, or
-- both sides have been there to compare.
last_right as (
    select
        disagreements.rule_id,
        disagreements.a_system,
        disagreements.b_system,
        disagreements.field,
        disagreements.object_key,
        disagreements.island,
        max(
            case
                when
                    (segments.is_comparable and not segments.is_different)
                    or abs(segments.authority_value - disagreements.copy_value)
                    <= disagreements.tolerance
                    or not segments.is_comparable
                    then segments.until_to
            end
        ) as right_until
    from disagreements
    inner join segments
        on
            disagreements.rule_id = segments.rule_id
            and disagreements.a_system = segments.a_system
            and disagreements.b_system = segments.b_system
            and disagreements.field = segments.field
            and disagreements.object_key = segments.object_key
            and disagreements.first_position > segments.position
    group by all
),

differing_documents as (
    select distinct
        order_line_id,
        document
    from disagreements
),

-- Where what a document tells took place, if that is one place: its goods moved there and nowhere
-- else.
places as (
    select
        events.order_line_id,
        events.document,
        case when count(distinct events.location_id) = 1 then any_value(events.location_id) end
            as location_id
    from {{ ref('order_events') }} as events
    inner join differing_documents as told
        on events.order_line_id = told.order_line_id and events.document = told.document
    group by events.order_line_id, events.document
)

select
    disagreements.rule_id,
    disagreements.a_system,
    disagreements.b_system,
    disagreements.object_key as a_record_id,
    cast(null as varchar) as milestone,
    cast(disagreements.island as integer) as ordinal,
    disagreements.object_type,
    disagreements.object_id,
    regexp_extract(disagreements.order_line_id, '^(.*)/[^/]*$', 1) as order_id,
    disagreements.order_line_id,
    disagreements.document,
    cast(null as varchar) as own_document,
    cast(null as varchar) as line_record,
    disagreements.field,
    case when disagreements.object_type = 'item' then disagreements.object_id end as item_id,
    places.location_id,
    abs(disagreements.authority_value - disagreements.copy_value) as quantity,
    cast(disagreements.authority_value as varchar) as expected_value,
    cast(disagreements.copy_value as varchar) as observed_value,
    true as is_linked,
    greatest(
        disagreements.began_to,
        coalesce(last_right.right_until, disagreements.began_to)
        + to_minutes(disagreements.grace_minutes)
    ) as due_at,
    disagreements.end_from,
    disagreements.end_to,
    case when disagreements.end_to is not null then 'changed' end as end_reason,
    disagreements.first_seen_at,
    disagreements.is_first_load,
    disagreements.raw_key
from disagreements
left join last_right
    on
        disagreements.rule_id = last_right.rule_id
        and disagreements.a_system = last_right.a_system
        and disagreements.b_system = last_right.b_system
        and disagreements.field = last_right.field
        and disagreements.object_key = last_right.object_key
        and disagreements.island = last_right.island
left join places
    on
        disagreements.order_line_id = places.order_line_id
        and disagreements.document = places.document
