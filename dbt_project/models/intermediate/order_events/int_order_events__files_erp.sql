-- Milestones of order lines as an ERP tells them in dropped files: orders, goods issues, invoices
-- and payments.
with lines as (
    select
        *,
        -- A line of which nothing was issued or billed is no goods issue and no invoice.
        document_type in ('F', 'I') and quantity = 0 as is_for_nothing
    from {{ ref('stg_files__erp_document_lines') }}
),

sale_milestones as (
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
                end
            ),
            recursive := true
        )
    from lines
    where document_type = 'S'
),

sales as (
    select
        system,
        'erp_document_lines' as entity,
        record_id,
        version_number,
        milestone,
        status as source_status,
        status_mapping_method as mapping_method,
        occurred_at is not null as is_set,
        'order_line' as object_type,
        'order_line' as link_type,
        order_number || '/' || line_number as link_key,
        system as link_system,
        -- The warehouse answers by the name that it was given.
        coalesce(warehouse_reference, document_number) as document,
        document_number as own_document,
        cast(position_number as varchar) as line_record,
        'C' || customer_number as party_id,
        customer_po as party_reference,
        item as item_id,
        location_id,
        {{ base_quantity('files', 'quantity', 'uom') }} as quantity,
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
        cast(null as varchar) as origin,
        seen_at,
        is_first_load,
        raw_key
    from sale_milestones
    where occurred_at is not null or version_number > 1
),

postings as (
    select
        system,
        'erp_document_lines' as entity,
        record_id,
        version_number,
        case
            when canonical_status is null then 'unmapped'
            when document_type = 'F' then 'shipped'
            when document_type = 'I' then 'invoiced'
            when document_type = 'P' then 'paid'
            else 'credited'
        end as milestone,
        status as source_status,
        status_mapping_method as mapping_method,
        not is_for_nothing as is_set,
        'order_line' as object_type,
        'sales_line' as link_type,
        sales_document || '/' || sales_line as link_key,
        system as link_system,
        answers_document as document,
        document_number as own_document,
        cast(position_number as varchar) as line_record,
        'C' || customer_number as party_id,
        bank_reference as party_reference,
        cast(null as varchar) as item_id,
        location_id,
        {{ base_quantity('files', 'quantity', 'uom') }} as quantity,
        unit_price,
        currency,
        posted_at as occurred_at,
        cast(null as timestamptz) as promised_at,
        posted_from as recorded_from,
        posted_to as recorded_to,
        updated_from,
        updated_to,
        case
            when canonical_status = 'reversed' then coalesce(reversed_from, updated_from)
            when is_for_nothing then updated_from
        end as reversed_from,
        case
            when canonical_status = 'reversed' then coalesce(reversed_to, updated_to)
            when is_for_nothing then updated_to
        end as reversed_to,
        cast(null as varchar) as origin,
        seen_at,
        is_first_load,
        raw_key
    from lines
    where
        document_type in ('F', 'I', 'P', 'C') and (not is_for_nothing or version_number > 1)
)

select * from sales
union all
select * from postings
