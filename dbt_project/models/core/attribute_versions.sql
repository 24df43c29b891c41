-- What each system held for a compared field of an object, from when to when.
with told as (
    select * from {{ ref('int_attribute_versions') }}
),

-- A record that vanished holds nothing any more.
vanished as (
    select
        told.* replace (
            told.version_number + 1 as version_number,
            null as value,
            deleted.deleted_from as recorded_from,
            deleted.deleted_to as recorded_to
        )
    from told
    inner join {{ ref('int_deleted_records') }} as deleted
        on
            told.system = deleted.system
            and told.entity = deleted.entity
            and told.record_id = deleted.record_id
    qualify
        row_number() over (
            partition by told.system, told.entity, told.record_id, told.object_type, told.field
            order by told.version_number desc
        ) = 1
),

linked as (
    select
        versions.*,
        systems.role,
        case
            when versions.link_type in ('order_line', 'item') then versions.link_key
            else links.order_line_id
        end as target_key
    from (
        select * from told
        union all by name
        select * from vanished
    ) as versions
    inner join {{ ref('dim_systems') }} as systems
        on versions.system = systems.system
    left join {{ ref('object_link_scopes') }} as links
        on
            case when versions.link_type not in ('order_line', 'item') then versions.link_type end
            = links.object_type
            and versions.link_key = links.object_key
            and coalesce(versions.link_system, '*') = links.scope
),

keyed as (
    select
        *,
        -- Of one line there may be several invoice lines, each with a price of its own.
        case
            when is_additive then document || '|' || target_key
            when object_type = 'invoice_line' then record_id || '|' || target_key
            else target_key
        end as object_key
    from linked
    where target_key is not null
),

-- Most fields of most objects are told once and never again: only the others pay for a history.
told_once as (
    select
        system,
        object_type,
        object_key,
        field
    from keyed
    group by system, object_type, object_key, field
    having count(*) = 1
),

told_again as (
    select keyed.*
    from keyed
    anti join told_once
        on
            keyed.system = told_once.system
            and keyed.object_type = told_once.object_type
            and keyed.object_key = told_once.object_key
            and keyed.field = told_once.field
),

-- Of several records that claim one object (an order entered twice) the one that stands is
-- compared, and of those the first: the other is a matter for uniqueness.
with_standing as (
    select
        *,
        last_value(value) over record_history is not null as is_standing,
        min(recorded_to) over record_history as record_began_at
    from told_again
    window record_history as (
        partition by system, object_type, object_key, field, record_id
        order by version_number
        rows between unbounded preceding and unbounded following
    )
),

chosen as (
    select *
    from with_standing
    qualify
        is_additive
        or dense_rank() over (
            partition by system, object_type, object_key, field
            order by is_standing desc, record_began_at asc, record_id asc
        ) = 1
),

changes as (
    select
        *,
        coalesce(value, 0) - coalesce(
            lag(value) over (
                partition by system, object_type, object_key, field, record_id
                order by version_number
            ),
            0
        ) as change
    from chosen
),

totals as (
    select
        *,
        case
            when is_additive
                then nullif(
                        sum(change) over (
                            partition by system, object_type, object_key, field
                            order by recorded_to, record_id, version_number
                            rows between unbounded preceding and current row
                        ),
                        0
                    )
            else value
        end as held_value
    from changes
),

-- A record changes for many reasons; only a change of this very field begins a new version of it.
field_changes as (
    select *
    from totals
    window
        object_history as (
            partition by system, object_type, object_key, field
            order by recorded_to, record_id, version_number
        )
    qualify
        row_number() over object_history = 1
        or held_value is distinct from lag(held_value) over object_history
),

spans as (
    select
        *,
        lead(recorded_from) over object_history as ended_from,
        lead(recorded_to) over object_history as ended_to
    from field_changes
    window
        object_history as (
            partition by system, object_type, object_key, field
            order by recorded_to, record_id, version_number
        )
    union all by name
    select
        keyed.*,
        case when keyed.is_additive then nullif(keyed.value, 0) else keyed.value end as held_value
    from keyed
    semi join told_once
        on
            keyed.system = told_once.system
            and keyed.object_type = told_once.object_type
            and keyed.object_key = told_once.object_key
            and keyed.field = told_once.field
)

select
    {{ identity([
        'system', 'object_type', 'object_key', 'field', 'record_id', 'version_number',
    ]) }} as attribute_version_id,
    system,
    role,
    entity,
    record_id,
    object_type,
    object_key,
    target_key as object_id,
    case
        when object_type in ('order_line', 'shipment_line', 'invoice', 'invoice_line')
            then target_key
    end as order_line_id,
    document,
    field,
    try_cast(held_value as decimal(18, 6)) as value,
    recorded_from as valid_from_earliest,
    recorded_to as valid_from_latest,
    ended_from as valid_to_earliest,
    ended_to as valid_to_latest,
    seen_at,
    is_first_load,
    raw_key
from spans
