-- Movements that one ledger tells from before another one began. That one can't tell them, so they
-- explain no difference between the two; each system's balance holds them.
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
    group by system, entity
),

-- A ledger begins with what its archive still holds. From the first reading on it tells all, even
-- if that is nothing.
beginnings as (
    select
        ledgers.system,
        min(least(ledgers.told_from, readings.read_from)) as began_at
    from ledgers
    left join readings
        on ledgers.system = readings.system and ledgers.entity = readings.entity
    group by ledgers.system
),

early as (
    select
        ledger.*,
        beginnings.system as other_system,
        beginnings.began_at as other_began_at
    from {{ ref('stock_ledger') }} as ledger
    inner join beginnings
        on ledger.system <> beginnings.system and ledger.recorded_to < beginnings.began_at
    where ledger.explained_change <> 0
)

-- A document that both name was on its way when the other's began.
select
    early.movement_id,
    early.system,
    early.other_system,
    early.other_began_at,
    early.state,
    early.item_id,
    early.location_id,
    early.explained_change
from early
left join {{ ref('stock_ledger') }} as told
    on early.other_system = told.system and early.document = told.document
where told.movement_id is null
