-- The record of an order line in each system that holds orders: the one that stands and went on.
{{ config(materialized='view') }}

with records as (
    select
        system,
        entity,
        order_line_id,
        order_id,
        own_document,
        line_record,
        any_value(still_so) filter (where milestone = 'captured') as still_so,
        any_value(quantity) filter (where milestone = 'captured') as quantity,
        any_value(unit_price) filter (where milestone = 'captured') as unit_price,
        any_value(currency) filter (where milestone = 'captured') as currency,
        any_value(item_id) filter (where milestone = 'captured') as item_id,
        min(recorded_to) filter (where milestone = 'captured') as captured_at,
        count_if(milestone = 'released') > 0 as is_released,
        count_if(milestone = 'cancelled') > 0 as is_cancelled
    from {{ ref('correction_facts') }}
    where object_type = 'order_line' and is_standing and order_line_id is not null
    group by system, entity, order_line_id, order_id, own_document, line_record
    having count_if(milestone = 'captured') > 0
),

invoiced as (
    select distinct
        system,
        order_line_id
    from {{ ref('correction_facts') }}
    where milestone = 'invoiced' and is_standing
)

select
    records.*,
    invoiced.order_line_id is not null as is_invoiced
from records
left join invoiced
    on records.system = invoiced.system and records.order_line_id = invoiced.order_line_id
where not records.is_cancelled
qualify
    row_number() over (
        partition by records.system, records.order_line_id
        order by not records.is_released, records.captured_at, records.own_document
    ) = 1
