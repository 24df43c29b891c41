"""Each invariant: holds on good rows, and finds the one row that breaks it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest

from expectations.gate import GateReport, run_gate
from expectations.invariants import invariant_checks, invariant_suites
from registry.systems import Registry

NOW = datetime(2026, 3, 10, tzinfo=UTC)
T1, T2, T3 = "2026-03-01 08:00:00+00", "2026-03-01 09:00:00+00", "2026-03-05 09:00:00+00"

# Table -> the columns that invariants read, with the values of a row that holds.
GOOD: dict[str, dict[str, tuple[str, Any]]] = {
    "landing.extractions": {
        "system": ("varchar", "wms"),
        "entity": ("varchar", "items"),
        "extraction_id": ("varchar", "x1"),
        "started_at": ("timestamptz", T1),
        "ended_at": ("timestamptz", T2),
        "complete": ("boolean", True),
        "records": ("bigint", 100),
        "unchanged": ("bigint", None),
        "quarantined": ("bigint", 3),
        "clock_uncertainty_seconds": ("double", 0.5),
        "load_order": ("bigint", 1),
    },
    "intermediate.int_refused_records": {
        "system": ("varchar", "wms"),
        "entity": ("varchar", "items"),
        "settled_at": ("timestamptz", None),
        "raw_key": ("varchar", "wms|A0001|hash|x1"),
    },
    "core.order_events": {
        "system": ("varchar", "wms"),
        "record_id": ("varchar", "SHP-1/1"),
        "object_type": ("varchar", "order_line"),
        "order_line_id": ("varchar", "SO-1/1"),
        "milestone": ("varchar", "shipped"),
        "quantity": ("decimal(18, 6)", 5),
        "occurred_at": ("timestamptz", T1),
        "recorded_from": ("timestamptz", T1),
        "recorded_to": ("timestamptz", T2),
        "reversed_to": ("timestamptz", None),
        "seen_at": ("timestamptz", T2),
        "raw_key": ("varchar", "wms|SHP-1/1|hash|x1"),
    },
    "marts.order_lifecycle": {
        "order_line_id": ("varchar", "SO-1/1"),
        "ordered_quantity": ("decimal(18, 6)", 5),
        "shipped_quantity": ("decimal(18, 6)", 5),
        "shipped_at": ("timestamptz", T1),
        "delivered_at": ("timestamptz", T2),
    },
    "core.inventory_movements": {
        "system": ("varchar", "wms"),
        "record_id": ("varchar", "4711"),
        "quantity": ("decimal(18, 6)", 5),
        "on_hand_change": ("decimal(18, 6)", -5),
        "movement_kind": ("varchar", "issue"),
        "mapping_method": ("varchar", "seed"),
        "raw_key": ("varchar", "wms|4711|hash|x1"),
    },
    "core.inventory_positions": {
        "system": ("varchar", "wms"),
        "role": ("varchar", "wms"),
        "source_item": ("varchar", "A0007"),
        "source_location": ("varchar", "EAST"),
        "state": ("varchar", "on_hand"),
        "quantity": ("decimal(18, 6)", 10),
        "as_of": ("timestamptz", T1),
        "extraction_id": ("varchar", "x1"),
    },
    "marts.exceptions": {
        "rule_id": ("varchar", "S01"),
        "object_id": ("varchar", "SO-1/1"),
        "system": ("varchar", "wms"),
        "status": ("varchar", "closed"),
        "due_at": ("timestamptz", T1),
        "opened_at": ("timestamptz", T1),
        "closed_at": ("timestamptz", T2),
        "frontier_at": ("timestamptz", T2),
        "value_at_risk": ("decimal(18, 6)", 62.5),
        "currency": ("varchar", "USD"),
    },
}

# (suite, check) -> the table, and what is wrong in the row that breaks it.
BAD: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("extractions", "extraction_ends_after_it_starts"): (
        "landing.extractions",
        {"started_at": T2, "ended_at": T1},
    ),
    ("extractions", "none_starts_in_the_future"): (
        "landing.extractions",
        {"started_at": "2026-03-10 00:05:01+00", "ended_at": "2026-03-10 00:05:02+00"},
    ),
    ("extractions", "newest_extraction_is_complete"): ("landing.extractions", {"complete": False}),
    ("extractions", "clock_can_be_told"): (
        "landing.extractions",
        {"clock_uncertainty_seconds": 600.0},
    ),
    ("quarantine", "few_rows_are_refused"): (
        "landing.extractions",
        {"records": 10, "quarantined": 90},
    ),
    ("order_events", "event_comes_from_an_observation"): ("core.order_events", {"raw_key": None}),
    ("order_events", "recorded_from_before_recorded_to"): (
        "core.order_events",
        {"recorded_from": T2, "recorded_to": T1},
    ),
    ("order_events", "moved_quantity_is_positive"): ("core.order_events", {"quantity": 0}),
    ("order_events", "taken_back_after_it_was_told"): (
        "core.order_events",
        {"recorded_from": T2, "reversed_to": T1},
    ),
    ("order_events", "not_in_the_future"): ("core.order_events", {"occurred_at": T3}),
    ("inventory_movements", "movement_comes_from_an_observation"): (
        "core.inventory_movements",
        {"raw_key": None},
    ),
    ("inventory_movements", "moved_quantity_is_positive"): (
        "core.inventory_movements",
        {"quantity": 0, "on_hand_change": 0},
    ),
    ("inventory_movements", "change_agrees_with_quantity"): (
        "core.inventory_movements",
        {"on_hand_change": -4},
    ),
    ("inventory_movements", "type_is_known"): (
        "core.inventory_movements",
        {"mapping_method": "unmapped"},
    ),
    ("inventory_positions", "physical_stock_is_not_negative"): (
        "core.inventory_positions",
        {"quantity": -1},
    ),
    ("inventory_positions", "allocated_and_damaged_fit_into_on_hand"): (
        "core.inventory_positions",
        {"state": "damaged", "quantity": 11},
    ),
    ("order_lifecycle", "one_row_an_order_line"): ("marts.order_lifecycle", {}),
    ("order_lifecycle", "every_told_line_is_followed"): (
        "core.order_events",
        {"order_line_id": "SO-1/2"},
    ),
    ("order_lifecycle", "shipped_within_ordered"): (
        "marts.order_lifecycle",
        {"order_line_id": "SO-1/2", "shipped_quantity": 6},
    ),
    ("order_lifecycle", "delivered_after_shipped"): (
        "marts.order_lifecycle",
        {"order_line_id": "SO-1/2", "shipped_at": T2, "delivered_at": T1},
    ),
    ("exceptions", "closed_after_opened"): (
        "marts.exceptions",
        {"opened_at": T2, "closed_at": T1},
    ),
    ("exceptions", "judged_only_when_known"): (
        "marts.exceptions",
        {"frontier_at": None},
    ),
    ("exceptions", "value_has_a_currency"): ("marts.exceptions", {"currency": None}),
}


def add(connection: duckdb.DuckDBPyConnection, table: str, **changes: Any) -> None:
    row = {name: value for name, (_, value) in GOOD[table].items()} | changes
    connection.execute(
        f"insert into {table} by name select "
        + ", ".join(f"${name}::{GOOD[table][name][0]} as {name}" for name in row),
        row,
    )


@pytest.fixture
def built(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    connection.execute("drop schema landing cascade")
    for schema in ("landing", "intermediate", "core", "marts"):
        connection.execute(f"create schema {schema}")
    for table, columns in GOOD.items():
        described = ", ".join(f"{name} {kind}" for name, (kind, _) in columns.items())
        connection.execute(f"create table {table} ({described})")
        add(connection, table)
    return connection


def judge(connection: duckdb.DuckDBPyConnection, registry: Registry) -> GateReport:
    return run_gate(connection, registry, "build-1", list(invariant_checks(NOW)))


def test_good_rows_hold(built, registry) -> None:
    report = judge(built, registry)
    assert report.failures == ()


def test_empty_tables_hold(built, registry) -> None:
    for table in GOOD:
        built.execute(f"truncate {table}")
    assert judge(built, registry).failures == ()


def test_every_check_has_a_row_that_breaks_it() -> None:
    checks = {(c.suite.removeprefix("invariants__"), c.name) for c in invariant_checks(NOW)}
    assert checks == set(BAD)
    assert {suite.check_name for suite in invariant_suites()} == {
        f"invariants__{suite}" for suite, _ in BAD
    }


def test_no_remedy_asks_a_person_to_call_dbt() -> None:
    """Each pass builds every table anew, and dbt alone would know nothing of the installation."""
    assert [c.identity for c in invariant_checks(NOW) if "dbt " in c.remedy] == []


@pytest.mark.parametrize(("suite", "name"), BAD)
def test_the_row_that_breaks_it_is_found(built, registry, suite, name) -> None:
    table, changes = BAD[suite, name]
    newer = {"extraction_id": "x2", "load_order": 2} if table == "landing.extractions" else {}
    if newer and "started_at" not in changes:
        newer |= {"started_at": T2, "ended_at": T3}
    add(built, table, **(newer | changes))
    found = [f for f in judge(built, registry).failures if f.expectation == name]
    assert [(f.suite, f.outcome, f.observed_count) for f in found] == [
        (f"invariants__{suite}", "failed", 1)
    ]
    assert found[0].remedy
    # A line of an order is followed over all systems, and all are read by one clock.
    of_all = table == "marts.order_lifecycle" or name == "none_starts_in_the_future"
    assert found[0].systems == (("wms", "erp") if of_all else ("wms",))


def test_an_old_incomplete_extraction_is_history(built, registry) -> None:
    add(
        built,
        "landing.extractions",
        extraction_id="x0",
        load_order=0,
        complete=False,
        started_at="2026-02-01 08:00:00+00",
    )
    assert judge(built, registry).failures == ()


def test_a_clock_that_was_ahead_is_history_once_the_feed_was_read_again(built, registry) -> None:
    """A year ahead for one pass: the log keeps that row, and nothing was sent for a year."""
    ahead = {"started_at": "2027-03-09 00:00:00+00", "ended_at": "2027-03-09 00:00:01+00"}
    add(built, "landing.extractions", extraction_id="x2", load_order=2, **ahead)
    assert [f.expectation for f in judge(built, registry).failures] == ["none_starts_in_the_future"]
    add(
        built,
        "landing.extractions",
        extraction_id="x3",
        load_order=3,
        started_at=T2,
        ended_at=T3,
    )
    assert judge(built, registry).failures == ()


def test_a_clock_that_once_stepped_back_is_history(built, registry) -> None:
    """Two milliseconds back, once: the log keeps that row for ever, the gate must not."""
    add(
        built,
        "landing.extractions",
        extraction_id="x0",
        load_order=0,
        started_at="2026-02-01 08:00:00.002+00",
        ended_at="2026-02-01 08:00:00+00",
    )
    assert judge(built, registry).failures == ()


def refused(connection: duckdb.DuckDBPyConnection, settled: int) -> None:
    """An extraction that refused all of 500 rows, of which some are settled, and one that read
    nothing after it."""
    times = {"started_at": T2, "ended_at": T2, "load_order": 2}
    add(connection, "landing.extractions", extraction_id="x2", records=0, quarantined=500, **times)
    connection.execute(
        "insert into intermediate.int_refused_records by name select 'wms' as system, "
        "'items' as entity, case when number < $1 then $2::timestamptz end as settled_at, "
        "'wms|A' || number || '|hash|x2' as raw_key from range(500) as numbers (number)",
        [settled, T3],
    )
    times = {"started_at": T3, "ended_at": T3, "load_order": 3}
    add(connection, "landing.extractions", extraction_id="x3", records=0, quarantined=0, **times)


@pytest.mark.parametrize(("settled", "stops"), [(0, True), (200, True), (498, False)])
def test_refused_rows_stop_until_most_of_them_are_settled(built, registry, settled, stops) -> None:
    refused(built, settled)
    found = [f.expectation for f in judge(built, registry).failures]
    assert found == (["few_rows_are_refused"] if stops else [])


@pytest.mark.parametrize(("records", "unchanged"), [(500, None), (0, 500)])
def test_refused_rows_stop_until_good_ones_are_told(built, registry, records, unchanged) -> None:
    refused(built, settled=0)
    add(
        built,
        "landing.extractions",
        extraction_id="x4",
        load_order=4,
        records=records,
        unchanged=unchanged,
        quarantined=0,
        started_at="2026-03-06 09:00:00+00",
        ended_at="2026-03-06 09:00:00+00",
    )
    assert judge(built, registry).failures == ()


def few_at_a_time(connection: duckdb.DuckDBPyConnection, passes: range, **counts: int) -> None:
    """So many readings of a few rows each, five minutes apart; what they refused is not settled."""
    for number in passes:
        at = datetime(2026, 3, 5, 9, tzinfo=UTC) + timedelta(minutes=5 * number)
        add(
            connection,
            "landing.extractions",
            extraction_id=f"few-{number}",
            load_order=number,
            started_at=at,
            ended_at=at,
            **counts,
        )
        connection.execute(
            "insert into intermediate.int_refused_records by name select 'wms' as system, "
            "'items' as entity, null::timestamptz as settled_at, "
            "'wms|A' || number || '|hash|few-' || $1 as raw_key from range($2) as numbers (number)",
            [number, counts["quarantined"]],
        )


def test_rows_refused_a_few_at_a_time_stop_as_well(built, registry) -> None:
    few_at_a_time(built, range(2, 32), records=0, quarantined=15)
    assert [f.expectation for f in judge(built, registry).failures] == ["few_rows_are_refused"]
    # Good rows of a few readings open it, as those of a single one do.
    few_at_a_time(built, range(32, 36), records=15, quarantined=0)
    assert judge(built, registry).failures == ()


def test_a_few_refused_rows_among_good_ones_stop_nothing(built, registry) -> None:
    few_at_a_time(built, range(2, 32), records=9, quarantined=6)
    assert judge(built, registry).failures == ()


def test_a_clock_that_is_minutes_ahead_stops_nothing(built, registry) -> None:
    add(
        built,
        "landing.extractions",
        extraction_id="x2",
        load_order=2,
        started_at="2026-03-10 00:04:00+00",
        ended_at="2026-03-10 00:04:01+00",
    )
    assert judge(built, registry).failures == ()
