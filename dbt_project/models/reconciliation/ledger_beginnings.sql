-- Since when the ledger of each system that shows balances tells all. It begins with what its
-- archive still holds, and from its first reading on it tells all, even if that is nothing.
{{ config(materialized='view') }}

with ledgers as (
    select
        system,
        entity,
        min(recorded_from) as told_from
    from {{ ref('inventory_movements') }}
    group by system, entity
),

readings as (
    select
        system,
        entity,
        min(watermark_at) as read_from
    from {{ ref('stg_log__extractions') }}
    where system in (select positions.system from {{ ref('inventory_positions') }} as positions)
    group by system, entity
)

-- Which of its feeds is the ledger nobody knows as long as none told a movement.
select
    coalesce(ledgers.system, readings.system) as system,
    coalesce(
        min(least(ledgers.told_from, readings.read_from)) filter (
            where ledgers.told_from is not null
        ),
        min(readings.read_from)
    ) as began_at
from readings
full join ledgers
    on readings.system = ledgers.system and readings.entity = ledgers.entity
group by coalesce(ledgers.system, readings.system)
