-- What suppliers say of purchase orders: answers (855, ORDRSP), ship notices (856, DESADV) and
-- invoices (810, INVOIC).
with answers as (
    select * from {{ ref('stg_x12__acknowledgements') }}
),

answer_lines as (
    select
        *,
        case when canonical_status = 'acknowledged' then base_quantity else 0 end
            as accepted_quantity,
        lag(canonical_status) over (
            partition by system, record_id order by version_number
        ) as status_before
    from {{ ref('stg_x12__acknowledgement_lines') }}
),

-- A notice of nothing announces nothing.
notice_lines as (
    select
        *,
        coalesce(canonical_status, '') <> 'cancelled' and coalesce(quantity <> 0, true)
            as is_announced
    from {{ ref('stg_x12__shipment_notice_lines') }}
),

invoices as (
    select * from {{ ref('stg_x12__invoice_lines') }}
),

order_answers as (
    select
        {{ edi_event(
            'acknowledgements', "coalesce(canonical_status, 'unmapped')", "'purchase_order'",
            'po_number', object_type="'purchase_order'", source_status='status_code',
            mapping_method='status_mapping_method', document='po_number',
            own_document='seller_order'
        ) }}
    from answers
),

-- Every answer answers the line, be it for nothing: how much it grants is its quantity.
line_answers as (
    select
        {{ edi_event(
            'acknowledgement_lines',
            "case when canonical_status is null then 'unmapped' else 'acknowledged' end",
            "'order_line'", "po_number || '/' || line_number", source_status='status_code',
            mapping_method='status_mapping_method', document='po_number',
            own_document='seller_order', line_record='line_number', item='item',
            quantity='accepted_quantity', unit_price='base_unit_price', currency='currency',
            promised_at='case when accepted_quantity > 0 then promised_to end'
        ) }}
    from answer_lines
),

-- What else an answer means, until a later one says otherwise.
meanings as (
    select
        *,
        canonical_status as meaning,
        true as is_meant
    from answer_lines
    where canonical_status <> 'acknowledged'
    union all
    select
        *,
        status_before as meaning,
        false as is_meant
    from answer_lines
    where status_before <> 'acknowledged' and status_before is distinct from canonical_status
),

line_meanings as (
    select
        {{ edi_event(
            'acknowledgement_lines', 'meaning', "'order_line'", "po_number || '/' || line_number",
            is_set='is_meant', source_status='status_code', mapping_method='status_mapping_method',
            document='po_number', own_document='seller_order', line_record='line_number',
            item='item', quantity='base_quantity'
        ) }}
    from meanings
),

-- What one message grants of a line, in as many parts as it likes.
granted as (
    select
        system,
        po_number,
        line_number,
        interchange_id,
        set_control_number,
        try_cast(sum(accepted_quantity) as decimal(18, 6)) as granted_quantity,
        max(base_unit_price) as granted_price,
        arg_min(answer_lines, record_id) as first_part
    from answer_lines
    where line_number is not null
    group by system, po_number, line_number, interchange_id, set_control_number
),

-- An answer is about the line as it was wanted last when the answer was written.
wishes as (
    select
        granted.granted_quantity,
        granted.granted_price,
        unnest(granted.first_part),
        lines.record_id as line_record_id,
        lines.version_number as wish_number,
        case when coalesce(lines.canonical_status, '') = 'cancelled' then 0
            else lines.base_quantity
        end as wanted_quantity,
        lines.base_unit_price as wanted_price
    from granted
    asof inner join {{ ref('stg_x12__purchase_order_lines') }} as lines
        on
            granted.system = lines.system
            and granted.po_number = lines.po_number
            and granted.line_number = lines.line_number
            and granted.first_part.written_to >= lines.written_from
),

honoured_changes as (
    select * replace (line_record_id as record_id)
    from wishes
    where
        wish_number > 1
        and coalesce(granted_quantity = wanted_quantity, true)
        and coalesce(granted_price = wanted_price, true)
),

change_answers as (
    select
        {{ edi_event(
            'acknowledgement_lines', "'change_acknowledged'", "'order_line'",
            "po_number || '/' || line_number",
            record_id=purchase_change('wish_number') ~ " || '@' || raw_key",
            source_status='status_code', mapping_method='status_mapping_method',
            document=purchase_change('wish_number'), own_document='seller_order',
            line_record='line_number', item='item', quantity='granted_quantity'
        ) }}
    from honoured_changes
),

notices as (
    select
        {{ edi_event(
            'shipment_notice_lines',
            "case when canonical_status is null then 'unmapped' else 'asn_sent' end",
            "case direction when 'outbound' then 'customer_line' else "
            ~ purchase_line_type() ~ " end",
            purchase_line_key(), is_set='is_announced',
            source_status='purpose_code', mapping_method='status_mapping_method',
            document='shipment_number', own_document='shipment_number',
            line_record='line_number', item='item', quantity='base_quantity',
            occurred_at='coalesce(least(shipped_to, written_at), written_at)',
            occurred_from='least(shipped_from, written_from)',
            occurred_to='least(shipped_to, written_to)',
            promised_at='expected_to'
        ) }}
    from notice_lines
),

-- A notice that replaces an earlier one, or cancels it, tells the whole of the shipment (BSN01 01
-- and 05): lines that it leaves out are gone.
whole_notices as (
    select
        system,
        shipment_number,
        sender_position,
        min(written_from) as written_from,
        min(written_to) as written_to,
        min(written_at) as written_at,
        min(seen_at) as seen_at
    from notice_lines
    where purpose_code in ('01', '05')
    group by system, shipment_number, sender_position
),

dropped_lines as (
    select
        lines.* replace (
            whole_notices.written_from as written_from,
            whole_notices.written_to as written_to,
            whole_notices.written_at as written_at,
            whole_notices.seen_at as seen_at
        )
    from whole_notices
    inner join notice_lines as lines
        on
            whole_notices.system = lines.system
            and whole_notices.shipment_number = lines.shipment_number
            and whole_notices.sender_position >= lines.sender_position
    qualify
        row_number() over (
            partition by whole_notices.system, whole_notices.sender_position, lines.record_id
            order by lines.version_number desc
        ) = 1
        and whole_notices.sender_position > lines.sender_position
),

dropped_notices as (
    select
        {{ edi_event(
            'shipment_notice_lines', "'asn_sent'",
            "case direction when 'outbound' then 'customer_line' else "
            ~ purchase_line_type() ~ " end",
            purchase_line_key(), is_set='false', version='version_number + 0.5',
            document='shipment_number', own_document='shipment_number',
            line_record='line_number', item='item', quantity='base_quantity',
            promised_at='expected_to'
        ) }}
    from dropped_lines
),

-- Of a purchase order line that is bought for a customer's line, what the supplier says is said of
-- that line, too: he has it, and he ships it to the customer.
drop_shipped as (
    select distinct
        object_key as purchase_line,
        order_line_id
    from {{ ref('object_links') }}
    where object_type = 'purchase_line' and certainty = 'certain'
),

drop_ship_answers as (
    select
        {{ edi_event(
            'acknowledgement_lines', "'acknowledged'", "'order_line'", 'order_line_id',
            record_id="record_id || '@' || order_line_id", source_status='status_code',
            mapping_method='status_mapping_method', document='po_number',
            own_document='seller_order', line_record='line_number', item='item',
            quantity='accepted_quantity'
        ) }}
    from answer_lines as lines
    inner join drop_shipped
        on lines.po_number || '/' || lines.line_number = drop_shipped.purchase_line
    where canonical_status is not null
),

{% for relation, version, is_set in [
    ('notice_lines', 'version_number', 'is_announced'),
    ('dropped_lines', 'version_number + 0.5', 'false'),
] %}
    drop_shipped_{{ relation }} as (
        select
            {{ edi_event(
                'shipment_notice_lines', "'shipped'", "'order_line'", 'order_line_id',
                is_set=is_set, version=version, source_status='purpose_code',
                mapping_method='status_mapping_method', document='shipment_number',
                own_document='shipment_number', line_record='line_number', item='item',
                quantity='base_quantity',
                occurred_at='coalesce(least(shipped_to, written_at), written_at)',
                occurred_from='least(shipped_from, written_from)',
                occurred_to='least(shipped_to, written_to)',
                promised_at='expected_to'
            ) }}
        from {{ relation }} as lines
        inner join drop_shipped
            on lines.po_number || '/' || lines.line_number = drop_shipped.purchase_line
        where direction = 'inbound' and canonical_status is not null
    ),

{% endfor %}
bills as (
    select
        {{ edi_event(
            'invoice_lines', "coalesce(canonical_status, 'unmapped')", purchase_line_type(),
            purchase_line_key(), source_status='invoice_type',
            mapping_method='status_mapping_method', document='invoice_number',
            own_document='invoice_number', line_record='line_number', item='item',
            quantity='base_quantity', unit_price='base_unit_price', currency='currency'
        ) }}
    from invoices
)

select * from order_answers
union all
select * from line_answers
union all
select * from line_meanings
union all
select * from change_answers
union all
select * from notices
union all
select * from dropped_notices
union all
select * from drop_ship_answers
union all
select * from drop_shipped_notice_lines
union all
select * from drop_shipped_dropped_lines
union all
select * from bills
