-- Milestones of order lines as SAP tells them: orders, outbound deliveries and billing documents.
with order_milestones as (
    select
        *,
        -- SAP books an order as it creates it.
        unnest(['captured', 'accepted']) as milestone
    from {{ ref('stg_sap_odata__sales_order_items') }}
),

orders as (
    select
        system,
        'sales_order_items' as entity,
        record_id,
        version_number,
        milestone,
        process_status as source_status,
        status_mapping_method as mapping_method,
        true as is_set,
        'order_line' as object_type,
        'order_line' as link_type,
        order_number || '/' || line_number as link_key,
        system as link_system,
        doc_no as document,
        doc_no as own_document,
        item_number as line_record,
        customer_number as party_id,
        cast(null as varchar) as party_reference,
        item_no as item_id,
        location_id,
        {{ base_quantity('sap_odata', 'quantity', 'uom') }} as quantity,
        -- SAP tells the value of the item; a price divided out of it need not be exact.
        cast(null as decimal(18, 6)) as unit_price,
        currency,
        created_at as occurred_at,
        requested_delivery_at as promised_at,
        created_from as recorded_from,
        created_to as recorded_to,
        updated_from,
        updated_to,
        cast(null as varchar) as origin,
        seen_at,
        is_first_load,
        raw_key
    from order_milestones
),

-- A delivery document is the warehouse's order; goods issue is what has left. The day of the goods
-- issue is set by people: when it was written is bracketed by what was seen.
delivery_milestones as (
    select
        *,
        unnest(
            [
                {{ told_milestone('released', 'created') }},
                struct_pack(
                    milestone := case
                        when canonical_status is null then 'unmapped' else 'shipped'
                    end,
                    -- An item of which nothing was shipped is no shipment.
                    occurred_at := case
                        when coalesce(canonical_status, 'shipped') = 'shipped' and quantity <> 0
                            then goods_movement_at
                    end,
                    recorded_from := {{ written_from('goods_movement') }},
                    recorded_to := {{ written_to('goods_movement') }}
                )
            ],
            recursive := true
        )
    from {{ ref('stg_sap_odata__delivery_items') }}
    where doc_no is not null and order_item_number is not null
),

deliveries as (
    select
        system,
        'delivery_items' as entity,
        record_id,
        version_number,
        milestone,
        status as source_status,
        status_mapping_method as mapping_method,
        occurred_at is not null as is_set,
        'order_line' as object_type,
        'host_line' as link_type,
        doc_no || '/' || order_item_number as link_key,
        system as link_system,
        delivery_number as document,
        delivery_number as own_document,
        order_item_number as line_record,
        customer_number as party_id,
        item_no as item_id,
        location_id,
        {{ base_quantity('sap_odata', 'quantity', 'uom') }} as quantity,
        occurred_at,
        recorded_from,
        recorded_to,
        updated_from,
        updated_to,
        case when occurred_at is null then updated_from end as reversed_from,
        case when occurred_at is null then updated_to end as reversed_to,
        seen_at,
        is_first_load,
        raw_key
    from delivery_milestones
    where occurred_at is not null or version_number > 1
),

invoices as (
    select
        system,
        'billing_items' as entity,
        record_id,
        version_number,
        case when canonical_status is null then 'unmapped' else 'invoiced' end as milestone,
        status as source_status,
        status_mapping_method as mapping_method,
        quantity <> 0 as is_set,
        'order_line' as object_type,
        'host_line' as link_type,
        doc_no || '/' || order_item_number as link_key,
        system as link_system,
        invoice_number as own_document,
        order_item_number as line_record,
        customer_number as party_id,
        item_no as item_id,
        {{ base_quantity('sap_odata', 'quantity', 'uom') }} as quantity,
        currency,
        created_at as occurred_at,
        created_from as recorded_from,
        created_to as recorded_to,
        updated_from,
        updated_to,
        case when canonical_status = 'reversed' or quantity = 0 then updated_from end
            as reversed_from,
        case when canonical_status = 'reversed' or quantity = 0 then updated_to end as reversed_to,
        seen_at,
        is_first_load,
        raw_key
    from {{ ref('stg_sap_odata__billing_items') }}
    where
        doc_no is not null
        and order_item_number is not null
        and (quantity <> 0 or version_number > 1)
)

select * from orders
union all by name
select * from deliveries
union all by name
select * from invoices
