-- Milestones of order lines as the demo ERP tells them: orders, fulfilments, invoices, what settles
-- them and the closing of the periods in which they are dated.
with items as (
    select
        system,
        item_no,
        gtin
    from {{ ref('stg_demo_erp__items') }}
    qualify row_number() over (partition by system, item_no order by version_number desc) = 1
),

-- From when which pack was in force: a line counts by that of the day on which it was entered, and
-- by the first one that was ever told where it was entered before that.
told_packs as (
    select
        system,
        item_no,
        version_number,
        case_quantity,
        case
            when version_number = min(version_number) over (partition by system, item_no)
                then timestamptz '1970-01-01 00:00:00+00'
            else updated_from
        end as valid_from
    from {{ ref('stg_demo_erp__items') }}
    where case_quantity is not null
),

packs as (
    select
        system,
        item_no,
        case_quantity,
        valid_from,
        coalesce(
            lead(valid_from) over (
                partition by system, item_no order by valid_from, version_number
            ),
            timestamptz '9999-12-31 00:00:00+00'
        ) as valid_to
    from told_packs
),

-- What all milestones of a version share is made once, before they are.
lines as (
    select
        lines.*,
        items.gtin,
        {{ base_quantity('demo_erp', 'lines.quantity', 'lines.uom', 'packs.case_quantity') }}
            as base_quantity
    from {{ ref('stg_demo_erp__sales_order_lines') }} as lines
    left join packs
        on
            lines.system = packs.system
            and lines.item_no = packs.item_no
            and coalesce(lines.entered_from, lines.seen_at) >= packs.valid_from
            and coalesce(lines.entered_from, lines.seen_at) < packs.valid_to
    left join items
        on lines.system = items.system and lines.item_no = items.item_no
),

order_milestones as (
    select
        *,
        unnest(
            list_concat(
                [
                    {{ told_milestone('captured', 'entered') }},
                    {{ told_milestone('accepted', 'booked') }},
                    {{ told_milestone('released', 'released') }},
                    {{ told_milestone('cancelled', 'cancelled') }}
                ],
                -- Only what was ever on credit hold tells of it, and of the check.
                case
                    when held_at is not null then [
                            {{ told_milestone('held', 'held') }},
                            {{ told_milestone('validated', 'validated') }}
                        ]
                end,
                -- And only what a supplier ships to the customer, of the order to him.
                case
                    when bought_at is not null
                        then [{{ told_milestone('drop_ship_ordered', 'bought') }}]
                end
            ),
            recursive := true
        )
    from lines
),

orders as (
    select
        system,
        'sales_order_lines' as entity,
        record_id,
        version_number,
        milestone,
        cast(line_status as varchar) as source_status,
        line_status_mapping_method as mapping_method,
        occurred_at is not null as is_set,
        'order_line' as object_type,
        'order_line' as link_type,
        order_number || '/' || line_number as link_key,
        system as link_system,
        doc_no as document,
        doc_no as own_document,
        cast(position_number as varchar) as line_record,
        'C' || customer_number as party_id,
        customer_po as party_reference,
        gtin as item_id,
        location_id,
        base_quantity as quantity,
        unit_price,
        currency,
        occurred_at,
        cast(null as timestamptz) as promised_at,
        recorded_from,
        recorded_to,
        updated_from,
        updated_to,
        case when occurred_at is null then updated_from end as reversed_from,
        case when occurred_at is null then updated_to end as reversed_to,
        origin,
        seen_at,
        is_first_load,
        raw_key,
        purchase_order || '/' || purchase_line as purchase_key
    from order_milestones
    where occurred_at is not null or version_number > 1
),

-- The line of the purchase order knows it, too: what it brings never comes to a place of ours.
purchases as (
    select
        * replace (
            record_id || '@' || purchase_key as record_id,
            purchase_key as link_key
        )
    from orders
    where milestone = 'drop_ship_ordered'
),

-- A line of which nothing was shipped or billed is no shipment and no invoice. What is corrected to
-- nothing is taken back.
fulfilments as (
    select
        system,
        'fulfilment_lines' as entity,
        record_id,
        version_number,
        case when canonical_status is null then 'unmapped' else 'shipped' end as milestone,
        status as source_status,
        status_mapping_method as mapping_method,
        quantity > 0 as is_set,
        'order_line' as object_type,
        'host_line' as link_type,
        doc_no || '/' || position_number as link_key,
        system as link_system,
        shipment_number as document,
        fulfilment_number as own_document,
        cast(position_number as varchar) as line_record,
        location_id,
        quantity,
        posted_at as occurred_at,
        posted_from as recorded_from,
        posted_to as recorded_to,
        updated_from,
        updated_to,
        case
            when canonical_status = 'reversed' then coalesce(reversed_from, updated_from)
            when quantity = 0 then updated_from
        end as reversed_from,
        case
            when canonical_status = 'reversed' then coalesce(reversed_to, updated_to)
            when quantity = 0 then updated_to
        end as reversed_to,
        origin,
        seen_at,
        is_first_load,
        raw_key
    from {{ ref('stg_demo_erp__fulfilment_lines') }}
    where quantity > 0 or version_number > 1
),

invoices as (
    select
        system,
        'invoice_lines' as entity,
        record_id,
        version_number,
        case when canonical_status is null then 'unmapped' else 'invoiced' end as milestone,
        status as source_status,
        status_mapping_method as mapping_method,
        quantity > 0 as is_set,
        'order_line' as object_type,
        'host_line' as link_type,
        doc_no || '/' || position_number as link_key,
        system as link_system,
        shipment_number as document,
        invoice_number as own_document,
        cast(position_number as varchar) as line_record,
        quantity,
        unit_price,
        currency,
        posted_at as occurred_at,
        posted_from as recorded_from,
        posted_to as recorded_to,
        updated_from,
        updated_to,
        case
            when canonical_status = 'reversed' then coalesce(voided_from, updated_from)
            when quantity = 0 then updated_from
        end as reversed_from,
        case
            when canonical_status = 'reversed' then coalesce(voided_to, updated_to)
            when quantity = 0 then updated_to
        end as reversed_to,
        origin,
        seen_at,
        is_first_load,
        raw_key,
        accounting_period
    from {{ ref('stg_demo_erp__invoice_lines') }}
    where quantity > 0 or version_number > 1
),

-- A period that closes closes the invoices that are dated in it.
closings as (
    select
        invoices.* exclude (accounting_period) replace (
            periods.version_number as version_number,
            'period_closed' as milestone,
            periods.status as source_status,
            periods.closed_at is not null and invoices.is_set as is_set,
            periods.closed_at as occurred_at,
            periods.closed_from as recorded_from,
            periods.closed_to as recorded_to,
            case
                when periods.closed_at is null then periods.updated_from
                else invoices.reversed_from
            end as reversed_from,
            case
                when periods.closed_at is null then periods.updated_to
                else invoices.reversed_to
            end as reversed_to,
            greatest(periods.seen_at, invoices.seen_at) as seen_at,
            periods.is_first_load and invoices.is_first_load as is_first_load,
            periods.raw_key as raw_key
        )
    from invoices
    inner join {{ ref('stg_demo_erp__periods') }} as periods
        on
            invoices.system = periods.system
            and invoices.accounting_period = periods.accounting_period
    where periods.closed_at is not null or periods.version_number > 1
    qualify
        row_number() over (
            partition by invoices.system, invoices.record_id, periods.version_number
            order by invoices.version_number desc
        ) = 1
),

settlements as (
    select
        system,
        'settlement_lines' as entity,
        record_id,
        version_number,
        case when canonical_status is null then 'unmapped' else coalesce(milestone, 'unmapped') end
            as milestone,
        settlement_type as source_status,
        status_mapping_method as mapping_method,
        true as is_set,
        'order_line' as object_type,
        'host_line' as link_type,
        doc_no || '/' || position_number as link_key,
        system as link_system,
        coalesce(return_number, invoice_number) as document,
        settlement_number as own_document,
        cast(position_number as varchar) as line_record,
        'C' || customer_number as party_id,
        bank_reference as party_reference,
        quantity,
        unit_price,
        currency,
        posted_at as occurred_at,
        posted_from as recorded_from,
        posted_to as recorded_to,
        updated_from,
        updated_to,
        case when canonical_status = 'reversed' then coalesce(voided_from, updated_from) end
            as reversed_from,
        case when canonical_status = 'reversed' then coalesce(voided_to, updated_to) end
            as reversed_to,
        origin,
        seen_at,
        is_first_load,
        raw_key
    from {{ ref('stg_demo_erp__settlement_lines') }}
)

select * exclude (purchase_key) from orders
union all by name
select * exclude (purchase_key) from purchases
union all by name
select * from fulfilments
union all by name
select * exclude (accounting_period) from invoices
union all by name
select * from closings
union all by name
select * from settlements
