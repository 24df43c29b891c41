-- Duties judged as far as they can be known. A view: the moving frontier is never stored.
{{ config(materialized='view', alias='exceptions') }}

with judged as (
    select
        obligations.*,
        frontiers.frontier_at,
        holds.held_reason,
        case
            when obligations.end_from <= obligations.due_at then 'none'
            when holds.held_reason is not null then 'pending'
            when
                obligations.due_at is null
                or frontiers.frontier_at is null
                or frontiers.frontier_at < obligations.due_at
                then 'pending'
            when obligations.end_to is null then 'open'
            else 'closed'
        end as status
    from {{ ref('obligations') }} as obligations
    left join {{ ref('frontiers') }} as frontiers
        on
            obligations.rule_id = frontiers.rule_id
            and obligations.a_system = frontiers.a_system
            and obligations.entity is not distinct from frontiers.entity
    left join {{ ref('obligation_holds') }} as holds
        on obligations.obligation_id = holds.obligation_id
)

select
    judged.*,
    case when judged.status in ('open', 'closed') then judged.due_at end as opened_at,
    case when judged.status = 'closed' then judged.end_to end as closed_at
from judged
