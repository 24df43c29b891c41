-- A small build to export: one order with a parcel, an exception and a correction.
create schema core;
create schema marts;
create table marts.orders as
select 'SO-1' as order_id, 'C1' as party_id, 'shipped' as current_state,
    100.50::decimal(18, 6) as order_value, 'USD' as currency;
create table marts.order_lifecycle as
select 'SO-1/' || line as order_line_id, 'SO-1' as order_id, 'C1' as party_id, 'I' || line as item_id,
    'EAST' as location_id, 'shipped' as current_state, 5::decimal(18, 6) as ordered_quantity,
    10.05::decimal(18, 6) as unit_price, 'USD' as currency
from (values (1), (2)) as lines (line);
create table core.order_events as
select
    milestone || line as event_id, role as system, role, 'lines' as entity, milestone,
    'order_line' as object_type, 'SO-1/' || line as object_id, 'SO-1' as order_id,
    'SO-1/' || line as order_line_id, role || '-1' as own_document, null as document, 'C1' as party_id,
    'I' || line as item_id, 'EAST' as location_id, 5::decimal(18, 6) as quantity,
    'NEW' as source_status, role || '|x' as raw_key, 1 as ordinal,
    case when milestone <> 'undated' then timestamptz '2026-01-01 10:00:00.250+02' end as occurred_at,
    case when milestone <> 'undated' then timestamptz '2026-01-01 10:05:00+02' end as recorded_to,
    case when milestone = 'released' then timestamptz '2026-01-02 00:00:00+00' end as reversed_to
from (values (1), (2)) as lines (line)
cross join (
    values ('oms', 'captured'), ('erp', 'released'), ('wms', 'shipped'), ('oms', 'undated')
) as told (role, milestone)
union all by name
-- A parcel, and an order that no list of orders knows: a reference to it would dangle.
select
    'scan' as event_id, 'carrier' as system, 'carrier' as role, 'scans' as entity,
    'in_transit' as milestone, 'package' as object_type, 'TRK1' as object_id,
    'SO-UNKNOWN' as order_id, 'carrier|y' as raw_key, 1 as ordinal,
    timestamptz '2026-01-02 00:00:00+00' as occurred_at,
    timestamptz '2026-01-02 00:00:00+00' as recorded_to;
create table core.object_links as
select 'package' as object_type, 'TRK1' as object_key, 'SO-1/1' as order_line_id, 'SO-1' as order_id
union all
select 'replacement', 'SO-1/2', 'SO-1/1', 'SO-1';
create table marts.exceptions as
select 'e1' as exception_id, 'S01' as rule_id, 'Shipped "but" not fulfilled' as title, 'S1' as severity,
    'finance' as owner, 'closed' as status, 'wms' as system, 'SO-1' as order_id,
    'SO-1/1' as order_line_id, 'I1' as item_id, 'EAST' as location_id,
    50.25::decimal(18, 6) as value_at_risk, 'USD' as currency,
    timestamptz '2026-01-02 00:00:00+00' as opened_at,
    timestamptz '2026-01-03 00:00:00+00' as closed_at
union all by name
select 'e2' as exception_id, 'F01' as rule_id, 'pending' as status, 'wms' as system;
create table marts.corrections as
select 'k1' as correction_key, 'S01' as rule_id, 'create_fulfilment' as kind, 'erp' as target_system,
    'accepted' as state, timestamptz '2026-01-02 01:00:00+00' as created_at,
    timestamptz '2026-01-02 01:01:00+00' as accepted_at, null::timestamptz as verified_at;
