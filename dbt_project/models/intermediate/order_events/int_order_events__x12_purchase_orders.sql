-- Purchase orders (850, 860, ORDERS): what we sent to suppliers, whole and line by line; and,
-- whole, what customers sent to us, whose lines the OMS tells.
with orders as (
    select
        orders.* replace (
            case when orders.direction = 'inbound' then parties.party_id else orders.partner end
                as partner
        ),
        -- Two customers may give their orders one number.
        case
            when orders.direction = 'inbound'
                then {{ customer_order('parties.party_id', 'orders.po_number') }}
            else orders.po_number
        end as order_key
    from {{ ref('stg_x12__purchase_orders') }} as orders
    left join {{ ref('party_map') }} as parties
        on orders.system = parties.system and orders.partner = parties.source_party
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
    where coalesce(told.direction, 'outbound') = 'outbound'
    window told_before as (
        partition by told.system, told.record_id order by told.version_number
        rows between unbounded preceding and 1 preceding
    )
),

order_events as (
    select
        {{ edi_event(
            'purchase_orders', "'ordered'", "'purchase_order'", 'order_key',
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
),

-- Each change is a wish of its own, until the next one or the end of the order.
changes as (
    select
        *,
        lead(written_from) over record_history as next_written_from,
        lead(written_to) over record_history as next_written_to,
        lead(written_at) over record_history as next_written_at
    from lines
    where version_number > 1
    window record_history as (partition by system, record_id order by version_number)
),

ended_changes as (
    select
        * replace (
            next_written_from as written_from,
            next_written_to as written_to,
            next_written_at as written_at
        )
    from changes
    where next_written_to is not null
    union all
    select
        changes.* replace (
            cancelled_lines.written_from as written_from,
            cancelled_lines.written_to as written_to,
            cancelled_lines.written_at as written_at
        )
    from changes
    inner join cancelled_lines
        on
            changes.system = cancelled_lines.system
            and changes.record_id = cancelled_lines.record_id
            and changes.version_number = cancelled_lines.version_number
),

{% for relation, version, is_set in [
    ('changes', 'version_number', 'true'),
    ('ended_changes', 'version_number + 0.5', 'false'),
] %}
    {{ relation.replace('changes', 'change') }}_events as (
        select
            {{ edi_event(
                'purchase_order_lines', "'change_requested'", "'order_line'",
                "po_number || '/' || line_number", record_id=purchase_change(), is_set=is_set,
                version=version, source_status='change_code',
                mapping_method='status_mapping_method', document=purchase_change(),
                own_document='po_number', line_record='line_number', item='item',
                quantity='base_quantity'
            ) }}
        from {{ relation }}
    ){{ ',' if not loop.last }}
{% endfor %}

select * from order_events
union all
select * from line_events
union all
select * from cancelled_events
union all
select * from change_events
union all
select * from ended_change_events
