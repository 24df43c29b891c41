"""The gate as a whole: failed and crashed told apart, fail closed, and nothing left locked."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import duckdb
import pytest

from expectations import gate
from expectations.checks import Batch, Between, Check, InSet, NoRows, NotNull, Severity
from expectations.gate import run_gate, suite_names
from ingestion.warehouse import warehouse

EVENTS = Batch("events", "select * from core.events", keys=("event_id",))


@pytest.fixture
def events(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    connection.execute("create schema core")
    connection.execute(
        "create table core.events (event_id varchar, system varchar, quantity decimal(18, 6))"
    )
    connection.execute("insert into core.events values ('e1', 'wms', 5), ('e2', 'erp', 6)")
    return connection


def check(expectation, name="rule", severity: Severity = "blocking", **rest) -> Check:
    options = {"systems": ("*",), "system_columns": ("system",), "batch": EVENTS, **rest}
    return Check(
        suite="invariants__events",
        name=name,
        table="core.events",
        expectation=expectation,
        severity=severity,
        remedy="Mend it.",
        **options,
    )


def test_rows_that_hold_pass(events, registry) -> None:
    report = run_gate(
        events,
        registry,
        "build-1",
        [
            check(NotNull("event_id"), "a"),
            check(InSet("system", ("wms", "erp")), "b"),
            check(Between("quantity", 5, 6), "c"),
            check(NoRows("select * from judged where quantity < 0"), "d"),
            check(
                NoRows(
                    "select a.* from judged as a join judged as b using (event_id) "
                    "where a.quantity <> b.quantity"
                ),
                "e",
            ),
        ],
    )
    assert report.passed
    assert (report.build_id, report.checks) == ("build-1", 5)
    assert report.systems.keys() == {"wms", "erp"}


@pytest.mark.parametrize(
    "expectation",
    [
        InSet("system", ("erp",)),
        Between("quantity", 5.5),
        NoRows("select * from judged where quantity < 6", column="quantity"),
    ],
)
def test_a_failure_names_its_rows_and_stops_the_systems_in_them(
    events, registry, expectation
) -> None:
    report = run_gate(events, registry, "build-1", [check(expectation)])
    (failure,) = report.failures
    assert (failure.outcome, failure.observed_count, failure.sample_keys) == ("failed", 1, ("e1",))
    assert failure.systems == ("wms",)
    assert report.systems["wms"].outcome == "failed"
    assert report.systems["erp"].outcome == "passed"
    assert "1 row(s) break it (e1). Mend it." in report.systems["wms"].reason


def test_rows_that_name_no_known_system_stop_all(events, registry) -> None:
    events.execute("insert into core.events values ('e3', null, -1)")
    report = run_gate(events, registry, "build-1", [check(Between("quantity", 0))])
    assert not report.systems["wms"].passed
    assert not report.systems["erp"].passed


def test_the_sample_is_short_and_the_count_is_whole(events, registry) -> None:
    events.execute("insert into core.events select 'n' || i, 'wms', -1 from range(1000) t(i)")
    (failure,) = run_gate(events, registry, "b", [check(Between("quantity", 0))]).failures
    assert failure.observed_count == 1000
    assert len(failure.sample_keys) == gate.SAMPLE_SIZE


@pytest.mark.parametrize(
    "crashing",
    [
        check(NotNull("no_such_column")),
        check(NoRows("select * from judged where no_such_function(quantity)")),
        check(NotNull("a"), batch=Batch("gone", "select * from core.gone", keys=("a",))),
        check(Between("quantity", 0), batch=Batch("broken", "select error('torn')", keys=())),
    ],
)
@pytest.mark.parametrize("severity", ["blocking", "warning"])
def test_a_crash_is_no_failure_and_stops_everything(events, registry, crashing, severity) -> None:
    report = run_gate(events, registry, "b", [replace(crashing, severity=severity)])
    (failure,) = report.failures
    assert failure.outcome == "crashed"
    assert failure.error
    assert failure.observed_count is None
    assert [verdict.outcome for verdict in report.systems.values()] == ["crashed", "crashed"]
    (suite,) = report.suites
    assert (suite.outcome, suite.blocking, suite.passed) == ("crashed", True, False)


def test_a_crash_leaves_its_neighbours_judged(events, registry) -> None:
    report = run_gate(
        events,
        registry,
        "b",
        [
            check(NoRows("select no_such_column from judged"), "crashes"),
            check(Between("quantity", 5.5), "fails"),
            check(NotNull("event_id"), "holds"),
        ],
    )
    assert {f.expectation: f.outcome for f in report.failures} == {
        "crashes": "crashed",
        "fails": "failed",
    }


def test_an_empty_table_holds(events, registry) -> None:
    events.execute("delete from core.events")
    report = run_gate(
        events,
        registry,
        "b",
        [
            check(NotNull("event_id"), "a"),
            check(InSet("system", ("wms",)), "b"),
            check(Between("quantity", 0), "c"),
            check(NoRows("select * from judged"), "d"),
        ],
    )
    assert report.passed


@pytest.mark.parametrize("broken", ["warm_up", "evaluate"])
def test_when_the_library_can_not_run_every_system_is_stopped(
    events, registry, monkeypatch, broken
) -> None:
    def fail(*_: object) -> None:
        raise ImportError("no such module")

    monkeypatch.setattr(gate, broken, fail)
    report = run_gate(events, registry, "b", [check(NotNull("event_id"))])
    assert not report.passed
    assert {suite.outcome for suite in report.suites} == {"crashed"}
    assert "no such module" in report.systems["wms"].reason


def test_every_announced_suite_is_reported(connection, registry) -> None:
    report = run_gate(connection, registry, "b")
    assert [s.check_name for s in report.suites] == [s.check_name for s in suite_names(registry)]
    assert all(suite.checks for suite in report.suites)


def test_without_the_log_of_loads_every_system_is_stopped(connection, registry) -> None:
    connection.execute("drop view landing.extractions")
    report = run_gate(connection, registry, "b")
    assert {suite.outcome for suite in report.suites} == {"crashed"}
    assert {verdict.outcome for verdict in report.systems.values()} == {"crashed"}
    assert "log of loads can't be read" in report.systems["wms"].reason


def test_the_lock_is_released_and_the_connection_still_works(settings, registry, events) -> None:
    run_gate(events, registry, "b", [check(NotNull("event_id"))])
    assert events.execute("select count(*) from core.events").fetchone() == (2,)
    events.close()
    opened_elsewhere = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import duckdb; duckdb.connect({str(settings.warehouse)!r}).execute('checkpoint')",
        ],
        timeout=60,
        check=False,
        capture_output=True,
        text=True,
    )
    assert opened_elsewhere.returncode == 0, opened_elsewhere.stderr


def test_another_connection_of_the_product_may_be_open(settings, registry, events) -> None:
    with warehouse(settings) as second:
        assert run_gate(second, registry, "b", [check(NotNull("event_id"))]).passed


def test_the_library_is_imported_only_where_it_runs() -> None:
    code = "import sys, expectations.gate; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_nothing_is_written_beside_the_warehouse(settings, registry, events, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))
    run_gate(events, registry, "b", [check(NotNull("event_id"))])
    assert set(tmp_path.rglob("*")) <= before | set(settings.home.glob("*"))


@pytest.mark.parametrize("quantity", [5, -1])
def test_the_plain_gate_gives_the_verdicts_of_the_library(events, registry, quantity) -> None:
    events.execute("update core.events set quantity = ? where event_id = 'e1'", [quantity])
    checks = [
        check(NotNull("event_id"), "a"),
        check(InSet("system", ("wms", "erp")), "b"),
        check(InSet("system", ("wms",)), "c"),
        check(Between("quantity", 0, 6), "d", system_columns=()),
        check(NoRows("select * from judged where quantity < 0"), "e"),
        check(NoRows("select * from judged where no_such_column < 0"), "f"),
        check(NotNull("no_such_column"), "g", severity="warning"),
    ]

    def outcomes(plain: bool) -> dict[str, str]:
        report = run_gate(events, registry, "build-1", checks, plain=plain)
        failed = {failure.expectation: failure.outcome for failure in report.failures}
        stopped = {name: verdict.outcome for name, verdict in report.systems.items()}
        return failed | stopped

    assert outcomes(plain=True) == outcomes(plain=False)
    assert outcomes(plain=True)["c"] == "failed"
    assert outcomes(plain=True)["f"] == "crashed"


def test_the_present_of_the_pass_decides_what_lies_in_the_future(connection, registry, land):
    """Where time is pretended, the machine's own clock says nothing."""
    land("wms", "items", [], day=9)

    def stopped_at(now: datetime) -> bool:
        report = run_gate(connection, registry, "b", plain=True, now=now)
        found = {f.expectation: f.systems for f in report.failures}
        return found.get("none_starts_in_the_future") == ("wms", "erp")

    assert stopped_at(datetime(2026, 3, 8, tzinfo=UTC))
    assert not stopped_at(datetime(2026, 3, 9, 8, tzinfo=UTC))
