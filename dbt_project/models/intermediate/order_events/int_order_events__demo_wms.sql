-- Milestones as the demo WMS tells them: warehouse orders, shipments and the packages in them, what
-- came from suppliers and what came back from customers.
with packs as (
    select * from {{ ref('int_packs__demo_wms') }}
),

-- What all milestones of a version share is made once, before they are.
lines as (
    select
        lines.*,
        packs.gtin,
        {{ base_quantity('demo_wms', 'lines.quantity', 'lines.uom', 'packs.case_pack') }}
            as base_quantity
    from {{ ref('stg_demo_wms__order_lines') }} as lines
    left join packs
        on
            lines.system = packs.system
            and lines.sku = packs.sku
            and lines.created_from >= packs.valid_from
            and lines.created_from < packs.valid_to
),

order_milestones as (
    select
        *,
        unnest(
            [
                {{ told_milestone('released', 'created') }},
                {{ told_milestone('picked', 'picked') }},
                {{ told_milestone('packed', 'packed') }}
            ],
            recursive := true
        )
    from lines
),

orders as (
    select
        system,
        'order_lines' as entity,
        record_id,
        version_number,
        milestone,
        status as source_status,
        status_mapping_method as mapping_method,
        occurred_at is not null as is_set,
        'order_line' as object_type,
        'host_line' as link_type,
        host_order || '/' || host_line as link_key,
        cast(null as varchar) as link_system,
        host_order as document,
        warehouse_order as own_document,
        cast(line_number as varchar) as line_record,
        gtin as item_id,
        location_id,
        base_quantity as quantity,
        cast(null as decimal(18, 6)) as unit_price,
        cast(null as varchar) as currency,
        occurred_at,
        cast(null as timestamptz) as promised_at,
        recorded_from,
        recorded_to,
        updated_from,
        updated_to,
        case when occurred_at is null or canonical_status = 'cancelled' then updated_from end
            as reversed_from,
        case when occurred_at is null or canonical_status = 'cancelled' then updated_to end
            as reversed_to,
        origin,
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
    from {{ ref('stg_demo_wms__shipment_lines') }}
),

-- A line of which nothing was shipped is no shipment. What is corrected to nothing is taken back.
shipments as (
    select
        lines.system,
        'shipment_lines' as entity,
        lines.record_id,
        lines.version_number,
        case when lines.canonical_status is null then 'unmapped' else 'shipped' end as milestone,
        lines.status as source_status,
        lines.status_mapping_method as mapping_method,
        lines.quantity > 0 as is_set,
        'order_line' as object_type,
        'host_line' as link_type,
        lines.host_order || '/' || lines.host_line as link_key,
        lines.shipment_number as document,
        lines.shipment_number as own_document,
        cast(lines.line_number as varchar) as line_record,
        packs.gtin as item_id,
        lines.location_id,
        {{ base_quantity('demo_wms', 'lines.quantity', 'lines.uom', 'packs.case_pack') }}
            as quantity,
        lines.shipped_at as occurred_at,
        lines.shipped_from as recorded_from,
        lines.shipped_to as recorded_to,
        lines.updated_from,
        lines.updated_to,
        case
            when lines.canonical_status = 'reversed' or lines.quantity = 0
                then lines.updated_from
        end as reversed_from,
        case
            when lines.canonical_status = 'reversed' or lines.quantity = 0 then lines.updated_to
        end as reversed_to,
        lines.seen_at,
        lines.is_first_load,
        lines.raw_key,
        lines.tracking_number,
        -- The first line that is in the package tells of it.
        lines.line_number = first_value(lines.line_number) over (
            partition by lines.system, lines.shipment_number
            order by lines.is_emptied, lines.line_number
        ) as is_first_line
    from shipped_lines as lines
    left join packs
        on
            lines.system = packs.system
            and lines.sku = packs.sku
            and lines.shipped_from >= packs.valid_from
            and lines.shipped_from < packs.valid_to
    where lines.quantity > 0 or lines.version_number > 1
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
        lines.system,
        'receipt_lines' as entity,
        lines.record_id,
        lines.version_number,
        'received' as milestone,
        lines.status as source_status,
        lines.received_quantity > 0 as is_set,
        'order_line' as object_type,
        -- The line of the order that the supplier was sent with this item.
        'po_item' as link_type,
        lines.po_number || '|' || packs.gtin as link_key,
        lines.notice_number as document,
        lines.notice_number as own_document,
        cast(lines.line_number as varchar) as line_record,
        lines.vendor as party_id,
        packs.gtin as item_id,
        lines.location_id,
        {{ base_quantity(
            'demo_wms', 'lines.received_quantity', 'lines.uom', 'packs.case_pack'
        ) }} as quantity,
        lines.received_at as occurred_at,
        lines.received_from as recorded_from,
        lines.received_to as recorded_to,
        lines.updated_from,
        lines.updated_to,
        case when lines.received_quantity = 0 then lines.updated_from end as reversed_from,
        case when lines.received_quantity = 0 then lines.updated_to end as reversed_to,
        lines.seen_at,
        lines.is_first_load,
        lines.raw_key
    from {{ ref('stg_demo_wms__receipt_lines') }} as lines
    left join packs
        on
            lines.system = packs.system
            and lines.sku = packs.sku
            and lines.received_from >= packs.valid_from
            and lines.received_from < packs.valid_to
    where lines.received_quantity > 0 or lines.version_number > 1
),

return_milestones as (
    select
        *,
        unnest(
            [
                {{ told_milestone('return_authorised', 'created') }},
                {{ told_milestone('return_received', 'received') }}
            ],
            recursive := true
        )
    from {{ ref('stg_demo_wms__return_lines') }}
),

returns as (
    select
        milestones.system,
        'return_lines' as entity,
        milestones.record_id,
        milestones.version_number,
        milestones.milestone,
        milestones.status as source_status,
        milestones.status_mapping_method as mapping_method,
        milestones.occurred_at is not null as is_set,
        'order_line' as object_type,
        'host_line' as link_type,
        milestones.host_order || '/' || milestones.host_line as link_key,
        milestones.return_number as document,
        milestones.return_number as own_document,
        cast(milestones.line_number as varchar) as line_record,
        packs.gtin as item_id,
        milestones.location_id,
        {{ base_quantity('demo_wms', 'milestones.quantity', 'milestones.uom', 'packs.case_pack') }}
            as quantity,
        milestones.occurred_at,
        milestones.recorded_from,
        milestones.recorded_to,
        milestones.updated_from,
        milestones.updated_to,
        case when milestones.occurred_at is null then milestones.updated_from end as reversed_from,
        case when milestones.occurred_at is null then milestones.updated_to end as reversed_to,
        milestones.seen_at,
        milestones.is_first_load,
        milestones.raw_key
    from return_milestones as milestones
    left join packs
        on
            milestones.system = packs.system
            and milestones.sku = packs.sku
            and milestones.created_from >= packs.valid_from
            and milestones.created_from < packs.valid_to
    where milestones.occurred_at is not null or milestones.version_number > 1
)

select * from orders
union all by name
select * exclude (tracking_number, is_first_line) from shipments
union all by name
select * exclude (tracking_number, is_first_line) from packages
union all by name
select * from receipts
union all by name
select * from returns
