-- What the demo ERP held for compared fields: order lines, fulfilled quantities, prices and amounts
-- of invoices, what was paid for them, addresses, what became of an ordered quantity, item data.
with order_fields as (
    select
        *,
        unnest(
            [
                struct_pack(
                    field := 'unit_price',
                    value := case when uom = 'EA' and cancelled_at is null then unit_price end
                ),
                struct_pack(
                    field := 'quantity',
                    value := case when uom = 'EA' and cancelled_at is null then quantity end
                )
            ],
            recursive := true
        )
    from {{ ref('stg_demo_erp__sales_order_lines') }}
    where order_number is not null and line_number is not null
),

order_lines as (
    select
        system,
        'sales_order_lines' as entity,
        record_id,
        version_number,
        'order_line' as object_type,
        'order_line' as link_type,
        order_number || '/' || line_number as link_key,
        system as link_system,
        doc_no as document,
        field,
        value,
        false as is_additive,
        updated_from as recorded_from,
        updated_to as recorded_to,
        seen_at,
        is_first_load,
        raw_key
    from order_fields
),

-- An address is that of a whole order: its first line stands for it.
addresses as (
    select
        system,
        'sales_order_lines' as entity,
        record_id,
        version_number,
        'order_line' as object_type,
        'order_line' as link_type,
        order_number || '/' || line_number as link_key,
        system as link_system,
        doc_no as document,
        'ship_to' as field,
        case when cancelled_at is null then cast(ship_to as decimal(18, 6)) end as value,
        false as is_additive,
        updated_from as recorded_from,
        updated_to as recorded_to,
        seen_at,
        is_first_load,
        raw_key
    from {{ ref('stg_demo_erp__sales_order_lines') }}
    where order_number is not null and line_number = 1
),

-- Nearly all lines always add up, and have nothing to compare. What shipped beyond the order is no
-- part of it.
accounted as (
    select
        *,
        cast(open_quantity as decimal(38, 6)) + backordered_quantity + cancelled_quantity
        + least(shipped_quantity, quantity) as accounted_quantity,
        count_if(quantity <> accounted_quantity) over (partition by system, record_id) > 0
            as is_doubtful
    from {{ ref('stg_demo_erp__sales_order_lines') }}
    where order_number is not null and line_number is not null
    qualify is_doubtful
),

accounts as (
    select
        system,
        'sales_order_lines' as entity,
        record_id,
        version_number,
        'order_line' as object_type,
        'order_line' as link_type,
        order_number || '/' || line_number as link_key,
        system as link_system,
        doc_no as document,
        unnest(
            [
                struct_pack(field := 'ordered_quantity', value := quantity),
                struct_pack(
                    field := 'accounted_quantity',
                    value := try_cast(accounted_quantity as decimal(18, 6))
                )
            ],
            recursive := true
        ),
        false as is_additive,
        updated_from as recorded_from,
        updated_to as recorded_to,
        seen_at,
        is_first_load,
        raw_key
    from accounted
),

fulfilments as (
    select
        system,
        'fulfilment_lines' as entity,
        record_id,
        version_number,
        'shipment_line' as object_type,
        'host_line' as link_type,
        doc_no || '/' || position_number as link_key,
        system as link_system,
        shipment_number as document,
        'shipped_quantity' as field,
        case when canonical_status = 'shipped' then quantity end as value,
        -- One shipment may be posted in several documents: what they add up to is compared.
        true as is_additive,
        updated_from as recorded_from,
        updated_to as recorded_to,
        seen_at,
        is_first_load,
        raw_key
    from {{ ref('stg_demo_erp__fulfilment_lines') }}
),

invoices as (
    select * from {{ ref('stg_demo_erp__invoice_lines') }}
),

billed_prices as (
    select
        system,
        'invoice_lines' as entity,
        record_id,
        version_number,
        'invoice_line' as object_type,
        'host_line' as link_type,
        doc_no || '/' || position_number as link_key,
        system as link_system,
        invoice_number as document,
        'billed_price' as field,
        case when canonical_status = 'invoiced' then unit_price end as value,
        false as is_additive,
        updated_from as recorded_from,
        updated_to as recorded_to,
        seen_at,
        is_first_load,
        raw_key
    from invoices
),

payments as (
    select * from {{ ref('stg_demo_erp__settlement_lines') }}
    where milestone = 'paid'
    qualify position_number = min(position_number) over (partition by system, settlement_number)
),

-- Of an invoice of which nothing was paid yet there is nothing to compare.
paid_invoices as (
    select invoices.*
    from invoices
    semi join payments
        on
            invoices.system = payments.system
            and invoices.invoice_number = payments.invoice_number
    qualify
        invoices.position_number
        = min(invoices.position_number) over (
            partition by invoices.system, invoices.invoice_number
        )
),

-- An amount is that of a whole document: the first line of the invoice stands for it.
first_lines as (
    select distinct
        system,
        invoice_number,
        doc_no || '/' || position_number as link_key
    from paid_invoices
),

{% set sides = [
    ('paid_invoices', 'invoice_lines', 'billed_amount', 'invoiced', 'invoice_amount'),
    ('payments', 'settlement_lines', 'paid_amount', 'posted', 'settled_amount'),
] %}
amounts as (
    {% for relation, entity, field, status, amount in sides %}
        select
            held.system,
            '{{ entity }}' as entity,
            held.record_id,
            held.version_number,
            'invoice' as object_type,
            'host_line' as link_type,
            first_lines.link_key,
            held.system as link_system,
            held.invoice_number as document,
            '{{ field }}' as field,
            case when held.canonical_status = '{{ status }}' then held.{{ amount }} end as value,
            -- An invoice may be paid in parts.
            true as is_additive,
            case when held.version_number = 1 then held.posted_from else held.updated_from end
                as recorded_from,
            case when held.version_number = 1 then held.posted_to else held.updated_to end
                as recorded_to,
            held.seen_at,
            held.is_first_load,
            held.raw_key
        from {{ relation }} as held
        inner join first_lines
            on
                held.system = first_lines.system
                and held.invoice_number = first_lines.invoice_number
        {% if not loop.last %}
            union all
        {% endif %}
    {% endfor %}
),

items as (
    select
        system,
        'items' as entity,
        record_id,
        version_number,
        'item' as object_type,
        'item' as link_type,
        gtin as link_key,
        system as link_system,
        item_no as document,
        unnest(
            [
                struct_pack(
                    field := 'pack_quantity', value := try_cast(case_quantity as decimal(18, 6))
                ),
                struct_pack(
                    field := 'weight_grams', value := try_cast(weight_grams as decimal(18, 6))
                ),
                struct_pack(
                    field := 'is_active',
                    value := cast(canonical_status = 'active' as decimal(18, 6))
                ),
                struct_pack(field := 'list_price', value := list_price)
            ],
            recursive := true
        ),
        false as is_additive,
        updated_from as recorded_from,
        updated_to as recorded_to,
        seen_at,
        is_first_load,
        raw_key
    from {{ ref('stg_demo_erp__items') }}
)

select * from order_lines
union all
select * from addresses
union all
select * from accounts
union all
select * from fulfilments
union all
select * from billed_prices
union all
select * from amounts
union all
select * from items
