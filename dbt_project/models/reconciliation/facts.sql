-- Everything a rule can name: milestones of orders and movements of stock, in one shape.
{{ config(materialized='view') }}

select
    event_id as fact_id,
    system,
    role,
    entity,
    record_id,
    milestone,
    ordinal,
    object_type,
    object_id,
    order_id,
    order_line_id,
    document,
    own_document,
    line_record,
    item_id,
    location_id,
    quantity,
    promised_at,
    recorded_from,
    recorded_to,
    reversed_from,
    reversed_to,
    seen_at,
    is_first_load,
    is_echo,
    raw_key
from {{ ref('order_events') }}
