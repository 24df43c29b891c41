-- Milestones of order lines as Tryton tells them: as ERP sales, fulfilments and invoices, as WMS
-- orders to the warehouse, shipments and the packages in them, receipts. Each entity belongs to one
-- role.
with sale_milestones as (
    select
        *,
        unnest(
            [
                {{ told_milestone('captured', 'quoted') }},
                {{ told_milestone('accepted', 'confirmed') }},
                {{ told_milestone('released', 'released') }},
                {{ told_milestone('cancelled', 'cancelled') }}
            ],
            recursive := true
        )
    from {{ ref('stg_tryton__sale_lines') }}
    -- A line below nothing is a return, which is no order of its own.
    where order_number is not null and line_number is not null and quantity >= 0
),

sales as (
    select
        system,
        'sale_lines' as entity,
        record_id,
        version_number,
        milestone,
        line_status as source_status,
        line_status_mapping_method as mapping_method,
        occurred_at is not null as is_set,
        'order_line' as object_type,
        'order_line' as link_type,
        order_number || '/' || line_number as link_key,
        system as link_system,
        sale_number as document,
        sale_number as own_document,
        cast(line_number as varchar) as line_record,
        party_code as party_id,
        cast(null as varchar) as party_reference,
        sku as item_id,
        location_id,
        quantity,
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
        raw_key
    from sale_milestones
    where occurred_at is not null or version_number > 1
),

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
        sale_number || '/' || line_number as link_key,
        system as link_system,
        shipment_number as document,
        fulfilment_number as own_document,
        cast(line_number as varchar) as line_record,
        sku as item_id,
        location_id,
        quantity,
        posted_at as occurred_at,
        posted_from as recorded_from,
        posted_to as recorded_to,
        updated_from,
        updated_to,
        case
            when canonical_status = 'reversed' then reversed_from
            when quantity = 0 then updated_from
        end as reversed_from,
        case
            when canonical_status = 'reversed' then reversed_to
            when quantity = 0 then updated_to
        end as reversed_to,
        seen_at,
        is_first_load,
        raw_key
    from {{ ref('stg_tryton__fulfilment_lines') }}
    where sale_number is not null and (quantity > 0 or version_number > 1)
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
        true as is_set,
        'order_line' as object_type,
        'host_line' as link_type,
        sale_number || '/' || line_number as link_key,
        system as link_system,
        shipment_number as document,
        invoice_number as own_document,
        cast(line_number as varchar) as line_record,
        sku as item_id,
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
    from {{ ref('stg_tryton__invoice_lines') }}
    -- A credit note takes back an invoice, which shows there; it charges nothing itself.
    where sale_number is not null and invoice_number is not null and quantity > 0
),

order_milestones as (
    select
        *,
        unnest(
            [
                {{ told_milestone('released', 'released') }},
                {{ told_milestone('allocated', 'allocated') }},
                {{ told_milestone('picked', 'picked') }},
                {{ told_milestone('packed', 'packed') }}
            ],
            recursive := true
        )
    from {{ ref('stg_tryton__warehouse_order_lines') }}
),

warehouse_orders as (
    select
        system,
        'warehouse_order_lines' as entity,
        record_id,
        version_number,
        milestone,
        status as source_status,
        status_mapping_method as mapping_method,
        occurred_at is not null as is_set,
        'order_line' as object_type,
        -- A move carries no line of the host: its item tells the line, as long as one line has it.
        'host_item' as link_type,
        host_order || '/' || sku as link_key,
        host_order as document,
        warehouse_order as own_document,
        cast(line_number as varchar) as line_record,
        sku as item_id,
        location_id,
        quantity,
        occurred_at,
        recorded_from,
        recorded_to,
        updated_from,
        updated_to,
        case
            when canonical_status = 'cancelled' then coalesce(cancelled_from, updated_from)
            when occurred_at is null then updated_from
        end as reversed_from,
        case
            when canonical_status = 'cancelled' then coalesce(cancelled_to, updated_to)
            when occurred_at is null then updated_to
        end as reversed_to,
        seen_at,
        is_first_load,
        raw_key
    from order_milestones
    where occurred_at is not null or version_number > 1
),

shipped_lines as (
    select
        *,
        arg_max(quantity, version_number) over (partition by system, record_id) = 0 as is_emptied
    from {{ ref('stg_tryton__shipment_lines') }}
),

-- A line of which nothing was shipped is no shipment. What is corrected to nothing is taken back.
shipments as (
    select
        system,
        'shipment_lines' as entity,
        record_id,
        version_number,
        case when canonical_status is null then 'unmapped' else 'shipped' end as milestone,
        status as source_status,
        status_mapping_method as mapping_method,
        quantity > 0 as is_set,
        'order_line' as object_type,
        'host_item' as link_type,
        host_order || '/' || sku as link_key,
        shipment_number as document,
        shipment_number as own_document,
        cast(line_number as varchar) as line_record,
        sku as item_id,
        location_id,
        quantity,
        shipped_at as occurred_at,
        shipped_from as recorded_from,
        shipped_to as recorded_to,
        updated_from,
        updated_to,
        case when quantity = 0 then updated_from end as reversed_from,
        case when quantity = 0 then updated_to end as reversed_to,
        seen_at,
        is_first_load,
        raw_key,
        tracking_number,
        -- The first line that is in the package tells of it.
        line_number = first_value(line_number) over (
            partition by system, shipment_number order by is_emptied, line_number
        ) as is_first_line
    from shipped_lines
    where quantity > 0 or version_number > 1
),

packages as (
    select
        * replace (
            'package' as object_type,
            'package' as link_type,
            tracking_number as link_key,
            own_document as record_id,
            -- A package is no line: what is in it is told by the packing list.
            cast(null as varchar) as item_id,
            cast(null as decimal(18, 6)) as quantity
        )
    from shipments
    where is_first_line and tracking_number is not null
),

receipts as (
    select
        system,
        'receipt_lines' as entity,
        record_id,
        version_number,
        case when canonical_status is null then 'unmapped' else 'received' end as milestone,
        status as source_status,
        status_mapping_method as mapping_method,
        -- A receipt that was cancelled may be received anew.
        coalesce(canonical_status, '') <> 'reversed' as is_set,
        'order_line' as object_type,
        -- The line of the order that the supplier was sent with this item.
        'po_item' as link_type,
        po_number || '|' || sku as link_key,
        shipment_number as document,
        shipment_number as own_document,
        cast(line_number as varchar) as line_record,
        party_code as party_id,
        sku as item_id,
        location_id,
        quantity,
        received_at as occurred_at,
        received_from as recorded_from,
        received_to as recorded_to,
        updated_from,
        updated_to,
        case when canonical_status = 'reversed' then coalesce(cancelled_from, updated_from) end
            as reversed_from,
        case when canonical_status = 'reversed' then coalesce(cancelled_to, updated_to) end
            as reversed_to,
        seen_at,
        is_first_load,
        raw_key,
        canonical_status,
        updated_at
    from {{ ref('stg_tryton__receipt_lines') }}
    where po_number is not null
),

-- Received is in the input zone; only then it is moved to where it is kept and can be picked.
put_away as (
    select
        * replace (
            'put_away' as milestone,
            updated_at as occurred_at,
            updated_from as recorded_from,
            updated_to as recorded_to
        )
    from receipts
    where canonical_status in ('put_away', 'reversed')
)

select * from sales
union all by name
select * from fulfilments
union all by name
select * from invoices
union all by name
select * from warehouse_orders
union all by name
select * exclude (tracking_number, is_first_line) from shipments
union all by name
select * exclude (tracking_number, is_first_line) from packages
union all by name
select * exclude (canonical_status, updated_at) from receipts
union all by name
select * exclude (canonical_status, updated_at) from put_away
