-- Milestones of order lines as the demo OMS tells them, one row a version and milestone; what
-- became of the units that they asked for; and by when they were promised.
with products as (
    select
        system,
        sku,
        gtin
    from {{ ref('stg_demo_oms__products') }}
    qualify row_number() over (partition by system, sku order by version_number desc) = 1
),

line_versions as (
    select
        lines.*,
        products.gtin,
        {{ base_quantity('demo_oms', 'lines.quantity', 'lines.uom') }} as base_quantity,
        -- No field says since when: the first version that showed it does. What is delivered has
        -- been shipped.
        canonical_line_status in ('shipped', 'delivered') as is_shown_shipped,
        min(case when canonical_line_status in ('shipped', 'delivered') then updated_at end)
            over (partition by lines.system, lines.record_id)
            as shown_shipped_at
    from {{ ref('stg_demo_oms__order_lines') }} as lines
    left join products
        on lines.system = products.system and lines.sku = products.sku
),

steps as (
    select
        *,
        unnest(
            list_concat([
                {{ told_milestone('captured', 'placed') }},
                -- Told by the line that replaces, of the line that it replaces.
                {{ told_milestone('replaced', 'placed') }},
                {{ told_milestone('accepted', 'accepted') }},
                -- These two may be back-dated by whoever writes them: what the record told of
                -- itself is when it happened; it was written between our last look and its update.
                struct_pack(
                    milestone := 'cancelled',
                    occurred_at := cancelled_at,
                    recorded_from := {{ written_from('cancelled') }},
                    recorded_to := {{ written_to('cancelled') }}
                ),
                struct_pack(
                    milestone := 'delivered',
                    occurred_at := delivered_at,
                    recorded_from := {{ written_from('delivered') }},
                    recorded_to := {{ written_to('delivered') }}
                )
            ],
            case
                when exception_at is not null then [
                        struct_pack(
                            milestone := 'delivery_exception',
                            occurred_at := exception_at,
                            recorded_from := {{ written_from('exception') }},
                            recorded_to := {{ written_to('exception') }}
                        )
                    ]
            end,
            case
                when updated_at >= shown_shipped_at then [
                        struct_pack(
                            milestone := 'shipped',
                            occurred_at := case when is_shown_shipped then shown_shipped_at end,
                            recorded_from := updated_from,
                            recorded_to := updated_to
                        )
                    ]
            end),
            recursive := true
        )
    from line_versions
),

-- What was reserved at once, and given up with the line, is nobody's work: only the others tell.
doubtful_lines as (
    select distinct
        system,
        record_id
    from line_versions
    where
        canonical_reservation in ('reservation_asked', 'backordered')
        or (canonical_reservation = 'reserved' and cancelled_at is not null)
),

reservations as (
    select
        line_versions.*,
        unnest(
            [
                struct_pack(
                    milestone := 'reservation_asked',
                    occurred_at := case
                        when canonical_reservation is not null then accepted_at
                    end,
                    recorded_from := accepted_from,
                    recorded_to := accepted_to
                ),
                {%- for answer in ['reserved', 'backordered'] %}
                    struct_pack(
                        milestone := '{{ answer }}',
                        occurred_at := case
                            when canonical_reservation = '{{ answer }}' then reservation_at
                        end,
                        recorded_from := reservation_from,
                        recorded_to := reservation_to
                    ){{ ',' if not loop.last }}
                {%- endfor %}
            ],
            recursive := true
        )
    from line_versions
    semi join doubtful_lines
        on
            line_versions.system = doubtful_lines.system
            and line_versions.record_id = doubtful_lines.record_id
),

-- A promise made anew takes the one before back: between any two versions there is room for that.
promises as (
    select
        * exclude (was_promised) replace (2 * version_number - is_taken_back as version_number),
        'delivery_promised' as milestone,
        case when is_taken_back = 0 then updated_at end as occurred_at,
        updated_from as recorded_from,
        updated_to as recorded_to
    from (
        select
            *,
            lag(promised_at) over record_history is not null as was_promised,
            unnest([1, 0]) as is_taken_back
        from line_versions
        window record_history as (partition by system, record_id order by version_number)
        qualify promised_at is distinct from lag(promised_at) over record_history
    ) as changes
    where case is_taken_back when 1 then was_promised else promised_at is not null end
),

milestones as (
    select * from steps
    union all by name
    select * from reservations
    union all by name
    select * from promises
),

-- What a customer ordered by EDI is known by the customer's own number, too: its first line stands
-- for the whole.
objects as (
    select
        *,
        unnest(
            case
                when channel = 'edi' and line_number = 1 and milestone in ('captured', 'cancelled')
                    then ['order_line', 'purchase_order']
                else ['order_line']
            end
        ) as object_type
    from milestones
)

select
    system,
    'order_lines' as entity,
    record_id,
    version_number,
    milestone,
    line_status as source_status,
    line_status_mapping_method as mapping_method,
    occurred_at is not null as is_set,
    object_type,
    object_type as link_type,
    case
        when object_type = 'purchase_order'
            then {{ customer_order('customer_ref', 'customer_po') }}
        when milestone = 'replaced' then replaces
        else order_number || '/' || line_number
    end as link_key,
    system as link_system,
    order_number as document,
    order_record as own_document,
    cast(line_number as varchar) as line_record,
    customer_ref as party_id,
    customer_po as party_reference,
    gtin as item_id,
    cast(null as varchar) as location_id,
    base_quantity as quantity,
    unit_price,
    currency,
    occurred_at,
    case when milestone = 'delivery_promised' then promised_at end as promised_at,
    recorded_from,
    recorded_to,
    updated_from,
    updated_to,
    case when occurred_at is null then updated_from end as reversed_from,
    case when occurred_at is null then updated_to end as reversed_to,
    cast(null as varchar) as origin,
    seen_at,
    is_first_load,
    raw_key
from objects
where
    (occurred_at is not null or version_number > 1)
    and (milestone <> 'replaced' or replaces is not null)
