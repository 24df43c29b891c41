-- What carriers report of a package, and what that means for the order lines inside it.
with events as (
    select
        system,
        'tracking_events' as entity,
        record_id,
        version_number,
        coalesce(canonical_code, 'unmapped') as milestone,
        coalesce(detail, code) as source_status,
        code_mapping_method as mapping_method,
        reason_code,
        true as is_set,
        'package' as object_type,
        'package' as link_type,
        tracking_number as link_key,
        cast(null as varchar) as link_system,
        tracking_number as document,
        event_id as own_document,
        cast(null as varchar) as line_record,
        cast(null as varchar) as party_id,
        cast(null as varchar) as item_id,
        cast(null as varchar) as location_id,
        cast(null as decimal(18, 6)) as quantity,
        cast(null as decimal(18, 6)) as unit_price,
        cast(null as varchar) as currency,
        occurred_at,
        occurred_from,
        occurred_to,
        cast(null as timestamptz) as promised_at,
        recorded_from,
        recorded_to,
        cast(null as timestamptz) as reversed_from,
        cast(null as timestamptz) as reversed_to,
        cast(null as varchar) as origin,
        seen_at,
        is_first_load,
        raw_key
    from {{ ref('stg_carrier_tracking__tracking_events') }}
    -- A notice that is no milestone tells nothing of where the package is.
    where canonical_code is distinct from 'no_milestone'
),

-- A line is on its way, late and delivered once, however often the carrier says so.
line_events as (
    select * replace ('order_line' as object_type)
    from events
    where milestone in ('in_transit', 'delayed', 'delivery_exception', 'delivered')
    qualify row_number() over (
            partition by system, link_key, milestone
            order by recorded_to, record_id, version_number
        ) = 1
)

select * from events
union all
select * from line_events
