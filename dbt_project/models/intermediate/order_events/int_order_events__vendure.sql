-- Milestones of order lines as Vendure tells them, one row a version and milestone.
with line_milestones as (
    select
        *,
        unnest(
            [
                {{ told_milestone('captured', 'placed') }},
                -- A shop accepts an order with the money; until then it may still fall through.
                {{ told_milestone('accepted', 'settled') }},
                {{ told_milestone('cancelled', 'cancelled') }},
                {{ told_milestone('delivered', 'delivered') }}
            ],
            recursive := true
        )
    from {{ ref('stg_vendure__order_lines') }}
),

order_lines as (
    select
        system,
        'order_lines' as entity,
        record_id,
        version_number,
        milestone,
        order_state as source_status,
        order_state_mapping_method as mapping_method,
        occurred_at is not null as is_set,
        order_number,
        line_number,
        order_number as document,
        order_record as own_document,
        line_record,
        customer_email as party_id,
        customer_po as party_reference,
        sku as item_id,
        -- Vendure sets a cancelled line to nothing: what was cancelled is what was placed.
        case when cancelled_at is null then quantity else placed_quantity end as quantity,
        unit_price,
        currency,
        occurred_at,
        recorded_from,
        recorded_to,
        updated_from,
        updated_to,
        seen_at,
        is_first_load,
        previous_watermark_at,
        raw_key
    from line_milestones
),

newest_lines as (
    select
        system,
        order_record,
        line_record,
        customer_email,
        customer_po,
        sku,
        unit_price,
        currency
    from {{ ref('stg_vendure__order_lines') }}
    qualify row_number() over (partition by system, record_id order by version_number desc) = 1
),

fulfilment_lines as (
    select
        fulfilments.system,
        'fulfilment_lines' as entity,
        fulfilments.record_id,
        fulfilments.version_number,
        'shipped' as milestone,
        fulfilments.state as source_status,
        fulfilments.state_mapping_method as mapping_method,
        coalesce(
            fulfilments.canonical_state in ('shipped', 'delivered') and fulfilments.quantity > 0,
            false
        ) as is_set,
        fulfilments.order_number,
        fulfilments.line_number,
        fulfilments.tracking_number as document,
        fulfilments.fulfilment_record as own_document,
        fulfilments.line_record,
        lines.customer_email as party_id,
        lines.customer_po as party_reference,
        lines.sku as item_id,
        fulfilments.quantity,
        lines.unit_price,
        lines.currency,
        case
            when fulfilments.canonical_state in ('shipped', 'delivered')
                then fulfilments.shipped_at
        end as occurred_at,
        fulfilments.shipped_from as recorded_from,
        fulfilments.shipped_to as recorded_to,
        fulfilments.updated_from,
        fulfilments.updated_to,
        fulfilments.seen_at,
        fulfilments.is_first_load,
        fulfilments.previous_watermark_at,
        fulfilments.raw_key
    from {{ ref('stg_vendure__fulfilment_lines') }} as fulfilments
    left join newest_lines as lines
        on
            fulfilments.system = lines.system
            and fulfilments.order_record = lines.order_record
            and fulfilments.line_record = lines.line_record
),

told as (
    select * from order_lines
    union all by name
    select * from fulfilment_lines
)

select
    system,
    entity,
    record_id,
    version_number,
    milestone,
    source_status,
    mapping_method,
    is_set,
    'order_line' as object_type,
    'order_line' as link_type,
    order_number || '/' || line_number as link_key,
    system as link_system,
    document,
    own_document,
    line_record,
    party_id,
    party_reference,
    item_id,
    cast(null as varchar) as location_id,
    quantity,
    unit_price,
    currency,
    occurred_at,
    cast(null as timestamptz) as promised_at,
    recorded_from,
    recorded_to,
    updated_from,
    updated_to,
    -- Nothing in Vendure says when a time was taken back: between our last look and this one.
    case when not is_set then previous_watermark_at end as reversed_from,
    case when not is_set then seen_at end as reversed_to,
    cast(null as varchar) as origin,
    seen_at,
    is_first_load,
    raw_key
from told
where is_set or version_number > 1
