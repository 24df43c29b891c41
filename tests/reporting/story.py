"""One order that went wrong and was put right, in tables shaped as the models make them."""

from __future__ import annotations

import duckdb

from ingestion.landing import refresh_views
from registry.systems import Registry

SCHEMA = """
create schema core;
create schema marts;
create schema reconciliation;
create schema seeds;
create table core.order_events (
    event_id varchar, system varchar, role varchar, entity varchar, record_id varchar,
    milestone varchar, ordinal integer, object_type varchar, object_id varchar, order_id varchar,
    order_line_id varchar, document varchar, own_document varchar, quantity decimal(18, 6),
    source_status varchar, occurred_at timestamptz, recorded_from timestamptz,
    recorded_to timestamptz, reversed_from timestamptz, reversed_to timestamptz, is_echo boolean,
    raw_key varchar
);
create table core.object_links (
    object_type varchar, object_key varchar, order_line_id varchar, order_id varchar
);
create table marts.exceptions (
    exception_id varchar, rule_id varchar, family varchar, title varchar, object_type varchar,
    object_id varchar, order_id varchar, order_line_id varchar, document varchar, field varchar,
    system varchar,
    counterpart_system varchar, status varchar, due_at timestamptz, opened_at timestamptz,
    closed_at timestamptz, severity varchar, owner varchar, value_at_risk decimal(18, 6),
    currency varchar, a_record_id varchar, expected_value varchar, observed_value varchar,
    held_reason varchar, item_id varchar, location_id varchar
);
create table marts.order_lifecycle (order_line_id varchar);
create table reconciliation.correction_proofs (correction_key varchar, verdict varchar);
create table seeds.rules (rule_id varchar, correction_kind varchar, depends_on varchar);
"""

EVENT = """
insert into core.order_events by name
select
    $system || $milestone || $line as event_id,
    $system as system,
    $entity as entity,
    $record as record_id,
    $milestone as milestone,
    1 as ordinal,
    'order_line' as object_type,
    'SO-100123/' || $line as object_id,
    'SO-100123' as order_id,
    'SO-100123/' || $line as order_line_id,
    $document as document,
    $document as own_document,
    5::decimal(18, 6) as quantity,
    $at::timestamptz as occurred_at,
    $at::timestamptz as recorded_from,
    $at::timestamptz as recorded_to,
    $echo as is_echo,
    $system || '|' || $record as raw_key
"""

RAW = """
insert into raw_{system}.{entity} by name
select
    $system as _system,
    $record as _record_id,
    $hash as _content_hash,
    $extraction as _extraction_id,
    $seen::timestamptz as _extracted_at,
    1 as _sequence,
    $raw as _raw,
    'load' as _dlt_load_id,
    $reference as {column}
"""


def tell(connection: duckdb.DuckDBPyConnection, registry: Registry) -> None:
    """Order SO-100123: shipped in the WMS, never posted in the ERP, posted by a correction."""
    connection.execute(SCHEMA)
    for system, entity, column in (
        ("erp", "sales_order_lines", "ext_ref"),
        ("wms", "shipment_lines", "host_order"),
        ("wms", "transactions", "ref"),
        ("carrier", "tracking_events", "tracking_number"),
        ("tallyman", "corrections", "object_id"),
    ):
        connection.execute(f"create schema if not exists raw_{system}")
        extra = (
            ", correction_key varchar, rule_id varchar, target_system varchar, kind varchar, "
            "state varchar, created_at timestamptz, accepted_at timestamptz, "
            "updated_at timestamptz, old_value varchar, new_value varchar, "
            "target_record_id varchar, state_reason varchar"
            if system == "tallyman"
            else ""
        )
        connection.execute(
            f"create table raw_{system}.{entity} (_system varchar, _record_id varchar, "
            "_content_hash varchar, _extraction_id varchar, _extracted_at timestamptz, "
            f"_sequence bigint, _raw varchar, _dlt_load_id varchar, {column} varchar{extra})"
        )
        connection.execute(
            f"create table if not exists raw_{system}._dlt_loads as select 'load' load_id, 0 status"
        )
    connection.execute(
        "create table raw_wms.quarantine (system varchar, entity varchar, record_id varchar, "
        "reference varchar, extraction_id varchar, quarantined_at timestamptz, reason varchar, "
        "raw varchar, _dlt_load_id varchar)"
    )
    connection.execute(
        "insert into raw_wms.quarantine values ('wms', 'shipment_lines', 'SHP-000123/9', "
        "'E500123', 'x1', '2026-11-02 08:00:00Z', "
        "'qty is no number', '{\"Qty\": 0}', 'load')"
    )

    def raw(system: str, entity: str, column: str, record: str, reference: str, *seen: str) -> None:
        for number, at in enumerate(seen):
            connection.execute(
                RAW.format(system=system, entity=entity, column=column),
                {
                    "system": system,
                    "record": record,
                    "hash": f"hash-of-{record}",
                    "extraction": f"extraction-{number}",
                    "seen": at,
                    "raw": '{"id": "' + record + '", "note": "' + "long " * 200 + '"}',
                    "reference": reference,
                },
            )

    first, second = "2026-11-02 08:00:00Z", "2026-11-02 08:10:00Z"
    raw("erp", "sales_order_lines", "ext_ref", "E500123/10", "SO-100123", first, second)
    raw("erp", "sales_order_lines", "ext_ref", "E500999/10", "SO-100999", first)
    raw("wms", "shipment_lines", "host_order", "SHP-000123/1", "E500123", first)
    raw("wms", "transactions", "ref", "4711", "SHP-000123", first)
    raw("carrier", "tracking_events", "tracking_number", "EV1", "TRK0000123", first)

    def event(system: str, milestone: str, line: str, at: str, **options: object) -> None:
        connection.execute(
            EVENT,
            {
                "system": system,
                "milestone": milestone,
                "line": line,
                "at": at,
                "entity": options.get("entity", "sales_order_lines"),
                "record": options.get("record", f"E500123/{line}0"),
                "document": options.get("document", "E500123"),
                "echo": options.get("echo", False),
            },
        )

    for line in ("1", "2"):
        event("erp", "accepted", line, "2026-11-01 10:00:00Z")
        event(
            "wms",
            "shipped",
            line,
            "2026-11-01 12:00:00Z",
            entity="shipment_lines",
            record=f"SHP-000123/{line}",
            document="SHP-000123",
        )
        event(
            "erp",
            "shipped",
            line,
            "2026-11-02 08:05:00Z",
            entity="fulfilment_lines",
            record=f"F700123/{line}0",
            document="F700123",
            echo=True,
        )
    connection.execute(
        "insert into core.order_events by name select 'e' as event_id, 'carrier' as system, "
        "'tracking_events' as entity, 'EV1' as record_id, 'delivered' as milestone, "
        "'package' as object_type, 'TRK0000123' as object_id, false as is_echo, "
        "'2026-11-01 18:00:00Z'::timestamptz as occurred_at, "
        "'2026-11-01 18:00:00Z'::timestamptz as recorded_to, 'k' as raw_key"
    )
    connection.execute(
        "insert into core.object_links values ('package', 'TRK0000123', 'SO-100123/1', 'SO-100123')"
    )
    for number, line in enumerate(("1", "2")):
        connection.execute(
            "insert into marts.exceptions by name select ? as exception_id, 'S01' as rule_id, "
            "'Shipped, not posted in the ERP' as title, ? as object_id, ? as order_line_id, "
            "'wms' as system, 'closed' as status, '2026-11-01 12:30:00Z'::timestamptz as due_at, "
            "'2026-11-01 12:30:00Z'::timestamptz as opened_at, "
            "'2026-11-02 08:05:00Z'::timestamptz as closed_at, 'S1' as severity, "
            "'shipping_desk' as owner, 62.5 as value_at_risk, 'USD' as currency",
            [f"x{number}", f"SO-100123/{line}", f"SO-100123/{line}"],
        )
    for rule, line, status in (("F01", "1", "open"), ("S04", "9", "open"), ("S05", "1", "pending")):
        connection.execute(
            "insert into marts.exceptions by name select ? as exception_id, ? as rule_id, "
            "? as title, ? as object_id, ? as order_line_id, 'erp' as system, ? as status, "
            "'2026-11-02 12:00:00Z'::timestamptz as due_at, "
            "if(? = 'open', '2026-11-02 12:00:00Z'::timestamptz, null) as opened_at, "
            "'S1' as severity, 'billing' as owner, 40 as value_at_risk, 'EUR' as currency",
            [
                rule + line,
                rule,
                f"Title of {rule}",
                f"SO-100{line}23/1",
                f"SO-100{line}23/1",
                status,
                status,
            ],
        )
    connection.execute(
        "insert into seeds.rules values ('S01', 'create_fulfilment', null), "
        "('F01', 'create_invoice', 'S01'), ('S04', null, null), ('S05', 'set_delivered', null)"
    )
    connection.execute("insert into marts.order_lifecycle select range::varchar from range(1234)")
    for key, rule, steps in (
        ("erp:SO-100123/1:create_fulfilment:1", "S01", ("ready", "accepted")),
        ("erp:SO-100123/1:create_invoice:1", "F01", ("awaiting_approval",)),
    ):
        for number, state in enumerate(steps):
            connection.execute(
                "insert into raw_tallyman.corrections by name select 'tallyman' as _system, "
                "$key as _record_id, $state as _content_hash, 'x' as _extraction_id, "
                "make_timestamptz(2026, 11, 2, 8, $minute, 0) as _extracted_at, 1 as _sequence, "
                "'{}' as _raw, 'load' as _dlt_load_id, $key as correction_key, "
                "'SO-100123/1' as object_id, $rule as rule_id, 'erp' as target_system, "
                "'create_fulfilment' as kind, $state as state, "
                "make_timestamptz(2026, 11, 2, 8, $minute, 0) as updated_at, "
                "make_timestamptz(2026, 11, 2, 8, 2, 0) as created_at, "
                "if($state = 'accepted', make_timestamptz(2026, 11, 2, 8, 5, 0), null) "
                "as accepted_at, if($state = 'accepted', 'F700123', null) as target_record_id",
                {"key": key, "rule": rule, "state": state, "minute": 3 + number},
            )
    connection.execute(
        "insert into reconciliation.correction_proofs values "
        "('erp:SO-100123/1:create_fulfilment:1', 'verified')"
    )
    refresh_views(connection, registry)
