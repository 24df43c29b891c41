-- What SAP held for compared fields: ordered and delivered quantities.
with order_lines as (
    select
        system,
        'sales_order_items' as entity,
        record_id,
        version_number,
        'order_line' as object_type,
        'order_line' as link_type,
        order_number || '/' || line_number as link_key,
        system as link_system,
        doc_no as document,
        'quantity' as field,
        {{ base_quantity('sap_odata', 'quantity', 'uom') }} as value,
        false as is_additive,
        updated_from as recorded_from,
        updated_to as recorded_to,
        seen_at,
        is_first_load,
        raw_key
    from {{ ref('stg_sap_odata__sales_order_items') }}
    where order_number is not null and line_number is not null
),

deliveries as (
    select
        system,
        'delivery_items' as entity,
        record_id,
        version_number,
        'shipment_line' as object_type,
        'host_line' as link_type,
        doc_no || '/' || order_item_number as link_key,
        system as link_system,
        delivery_number as document,
        'shipped_quantity' as field,
        case
            when canonical_status = 'shipped'
                then {{ base_quantity('sap_odata', 'quantity', 'uom') }}
        end
            as value,
        -- One order item may be delivered in several documents: what they add up to is compared.
        true as is_additive,
        updated_from as recorded_from,
        updated_to as recorded_to,
        seen_at,
        is_first_load,
        raw_key
    from {{ ref('stg_sap_odata__delivery_items') }}
    where doc_no is not null and order_item_number is not null
)

select * from order_lines
union all
select * from deliveries
