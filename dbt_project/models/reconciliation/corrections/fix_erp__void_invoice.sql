-- Invoiced and never shipped, or invoiced twice: void the invoice, if no line of it is right.
{{ config(materialized='view') }}

with unfounded as (
    {{ correctable('void_invoice', 'erp') }}
),

invoice_lines as (
    select *
    from {{ ref('correction_facts') }}
    where milestone = 'invoiced' and object_type = 'order_line' and is_standing
),

concerned as (
    select distinct
        target_system,
        own_document
    from unfounded
),

-- The invoice that makes another one for the same shipment a duplicate must still stand.
twins as (
    select
        system,
        document,
        order_line_id,
        own_document,
        still_so
    from invoice_lines
    where document is not null
),

-- Some rules speak of the invoice, others of its lines; then each line of it must be unfounded.
lines as (
    select
        unfounded.* replace (
            coalesce(
                {{ held_value(
                    'cast(invoice_lines.quantity as decimal(38, 6)) * invoice_lines.unit_price'
                ) }},
                unfounded.value_at_risk
            ) as value_at_risk,
            coalesce(invoice_lines.currency, unfounded.currency) as currency
        ),
        invoice_lines.own_document as invoice,
        unfounded.line_record is not null as is_unshipped,
        invoice_lines.still_so,
        {{ none_may_stand('fields', [('document', 'invoice_lines.document')]) }}
            as shipment_conditions,
        twins.still_so as twin_condition
    from invoice_lines
    inner join concerned
        on
            invoice_lines.system = concerned.target_system
            and invoice_lines.own_document = concerned.own_document
    left join unfounded
        on
            invoice_lines.system = unfounded.target_system
            and invoice_lines.own_document = unfounded.own_document
            and invoice_lines.line_record
            = coalesce(unfounded.line_record, invoice_lines.line_record)
    left join twins
        on
            unfounded.line_record is null
            and invoice_lines.system = twins.system
            and invoice_lines.document = twins.document
            and invoice_lines.order_line_id = twins.order_line_id
            and invoice_lines.own_document <> twins.own_document
    left join {{ ref('int_record_fields') }} as fields
        on
            unfounded.authority_system = fields.system
            and list_contains(fields.feeds, 'shipment_lines')
    qualify
        row_number() over (
            partition by invoice_lines.event_id, unfounded.obligation_id
            order by twins.own_document
        ) = 1
),

complete as (
    select *
    from lines
    qualify
        bool_and(
            coalesce(is_ready, false) and (is_unshipped or twin_condition is not null)
        ) over (partition by invoice)
)

select
    {{ resolved_exceptions('complete') }},
    case when bool_and(complete.is_unshipped) then 'shipment' else 'invoice_document' end
        as object_type,
    case
        when bool_and(complete.is_unshipped)
            then coalesce(min(complete.document), complete.invoice)
        else complete.invoice
    end as object_id,
    complete.invoice as target_object,
    json_object('invoice', complete.invoice, 'voided', false) as old_value,
    json_object('invoice', complete.invoice, 'voided', true) as new_value,
    json_object('invoice_record', complete.invoice) as payload,
    {{ all_conditions("""list_append(
            case
                when complete.is_unshipped then complete.shipment_conditions
                else [complete.twin_condition]
            end,
            complete.still_so
        )""") }} as preconditions
from complete
group by complete.target_system, complete.invoice
