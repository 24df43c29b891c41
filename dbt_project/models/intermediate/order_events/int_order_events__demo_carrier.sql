-- What the demo carrier reports of a package, and what that means for the order lines inside it.
with events as (
    select
        system,
        'tracking_events' as entity,
        record_id,
        version_number,
        coalesce(canonical_code, 'unmapped') as milestone,
        code as source_status,
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
        cast(null as timestamptz) as promised_at,
        reported_from as recorded_from,
        reported_to as recorded_to,
        cast(null as timestamptz) as reversed_from,
        cast(null as timestamptz) as reversed_to,
        cast(null as varchar) as origin,
        seen_at,
        is_first_load,
        raw_key
    from {{ ref('stg_demo_carrier__tracking_events') }}
),

-- A line is on its way and delivered once, however often the carrier says so.
line_events as (
    select * replace ('order_line' as object_type)
    from events
    where milestone in ('in_transit', 'delivered')
    qualify row_number() over (
            partition by system, link_key, milestone
            order by recorded_to, record_id, version_number
        ) = 1
),

line_exceptions as (
    select * replace ('order_line' as object_type)
    from events
    where milestone = 'delivery_exception'
),

-- What it expects holds until it expects something else, or the package is there.
told_expectations as (
    select
        system,
        record_id,
        version_number,
        expected_at,
        lead(reported_from) over package_history as until_from,
        lead(reported_to) over package_history as until_to
    from {{ ref('stg_demo_carrier__tracking_events') }}
    where expected_at is not null or canonical_code = 'delivered'
    window
        package_history as (
            partition by system, tracking_number
            order by reported_to, record_id, version_number
        )
),

expectations as (
    select
        events.* replace (
            'order_line' as object_type,
            'delivery_expected' as milestone,
            told.expected_at as promised_at,
            told.until_from as reversed_from,
            told.until_to as reversed_to
        )
    from events
    inner join told_expectations as told
        on
            events.system = told.system
            and events.record_id = told.record_id
            and events.version_number = told.version_number
    where told.expected_at is not null
)

select * from events
union all
select * from line_events
union all
select * from line_exceptions
union all
select * from expectations
