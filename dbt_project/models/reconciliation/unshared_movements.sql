-- Movements that one ledger tells from before another one began. That one can't tell them, so they
-- explain no difference between the two; each system's balance holds them.
{{ config(materialized='view') }}

with early as (
    select
        ledger.*,
        beginnings.system as other_system
    from {{ ref('stock_ledger') }} as ledger
    inner join {{ ref('ledger_beginnings') }} as beginnings
        on ledger.system <> beginnings.system and ledger.recorded_to < beginnings.began_at
    where ledger.explained_change <> 0
)

-- A document that both name was on its way when the other's began.
select
    early.movement_id,
    early.system,
    early.other_system,
    early.state,
    early.item_id,
    early.location_id,
    early.explained_change
from early
left join {{ ref('stock_ledger') }} as told
    on early.other_system = told.system and early.document = told.document
where told.movement_id is null
