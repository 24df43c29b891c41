-- Purchase orders that we sent to suppliers (850, 860, ORDERS), whole and line by line.
with orders as (
    select * from {{ ref('stg_x12__purchase_orders') }}
),

-- Where the goods are to go, as the order last said.
destinations as (
    select
        orders.system,
        orders.po_number,
        arg_max(places.location_id, orders.version_number) as location_id
    from orders
    inner join {{ ref('location_map') }} as places
        on places.connector = 'x12' and orders.ship_to = places.source_location
    group by orders.system, orders.po_number
),

lines as (
    select
        told.* replace (
            -- A change says what it changes: what it leaves out stays as it was.
            coalesce(
                told.base_unit_price,
                last_value(told.base_unit_price ignore nulls) over told_before
            ) as base_unit_price
        ),
        coalesce(told.canonical_status, 'ordered') = 'cancelled' as is_deleted,
        destinations.location_id
    from {{ ref('stg_x12__purchase_order_lines') }} as told
    left join destinations
        on told.system = destinations.system and told.po_number = destinations.po_number
    window told_before as (
        partition by told.system, told.record_id order by told.version_number
        rows between unbounded preceding and 1 preceding
    )
),

order_events as (
    select
        {{ edi_event(
            'purchase_orders', "'ordered'", "'purchase_order'", 'po_number',
            object_type="'purchase_order'", is_set="coalesce(canonical_status, '') <> 'cancelled'",
            source_status='purpose_code', mapping_method='status_mapping_method',
            document='po_number', own_document='po_number', currency='currency'
        ) }}
    from orders
),

line_events as (
    select
        {{ edi_event(
            'purchase_order_lines', "'ordered'", "'order_line'",
            "po_number || '/' || line_number", is_set='not is_deleted',
            source_status='change_code', mapping_method='status_mapping_method',
            document='po_number', own_document='po_number', line_record='line_number',
            item='item', location='location_id', quantity='base_quantity',
            unit_price='base_unit_price', currency='currency'
        ) }}
    from lines
),

-- An order that is cancelled as a whole takes its lines with it: those told by then.
cancelled_lines as (
    select
        lines.* replace (
            cancellations.written_from as written_from,
            cancellations.written_to as written_to,
            cancellations.written_at as written_at,
            cancellations.seen_at as seen_at,
            cancellations.raw_key as raw_key
        )
    from orders as cancellations
    inner join lines
        on
            cancellations.system = lines.system
            and cancellations.po_number = lines.po_number
            and cancellations.sender_position >= lines.sender_position
    where cancellations.canonical_status = 'cancelled'
    qualify
        row_number() over (
            partition by cancellations.system, cancellations.raw_key, lines.record_id
            order by lines.version_number desc
        ) = 1
),

cancelled_events as (
    select
        {{ edi_event(
            'purchase_order_lines', "'ordered'", "'order_line'",
            "po_number || '/' || line_number", is_set='false', version='version_number + 0.5',
            document='po_number', own_document='po_number', line_record='line_number',
            item='item', quantity='base_quantity', unit_price='base_unit_price',
            currency='currency'
        ) }}
    from cancelled_lines
)

select * from order_events
union all
select * from line_events
union all
select * from cancelled_events
