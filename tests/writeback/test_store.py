"""The store itself: plans of its hot queries, commits per correction, append-only history."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from engine_under_test import Engine
from samples import quantity_change
from sqlalchemy import event

from registry.errors import ConfigurationError
from writeback.states import Event, IllegalTransitionError, State
from writeback.store import LeaseLostError
from writeback.tables import corrections


@contextmanager
def recorded(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """All statements that run inside, with their parameters."""
    statements: list[tuple[str, Any]] = []

    def note(_c: Any, _k: Any, text: str, parameters: Any, _x: Any, _m: bool) -> None:
        statements.append((text, parameters))

    database = engine.store.engine
    event.listen(database, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(database, "before_cursor_execute", note)


@contextmanager
def written(engine: Engine) -> Iterator[list[int]]:
    """One entry for each commit of a write inside."""
    commits: list[int] = []

    def note(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("tallyman_writes", False):
            commits.append(1)

    event.listen(engine.store.engine, "commit", note)
    try:
        yield commits
    finally:
        event.remove(engine.store.engine, "commit", note)


def path_of(engine: Engine) -> str:
    return str(engine.store.engine.url.database)


# Of how SQLite does it: PostgreSQL has plans, locks and flushes of its own.
ON_SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@ON_SQLITE
def test_no_query_of_a_delivery_scans_the_corrections(engine: Engine) -> None:
    engine.propose(*[quantity_change(n) for n in range(1, 4)])
    with recorded(engine) as statements:
        engine.deliver()
        engine.store.waking_count(engine.clock.now(), ["erp"])
        engine.store.expire_leases(engine.clock.now(), timedelta(0))
    connection = sqlite3.connect(path_of(engine))
    planned = 0
    for text, parameters in statements:
        if not text.lstrip().lower().startswith(("select", "update")):
            continue
        one = parameters[0] if isinstance(parameters, list) else parameters
        plan = connection.execute(f"explain query plan {text}", one).fetchall()
        details = [row[3] for row in plan]
        planned += 1
        for detail in details:
            assert not detail.startswith("SCAN corrections"), (text, details)
            assert not detail.startswith("SCAN other"), (text, details)
    assert planned > 10
    connection.close()


@ON_SQLITE
def test_a_batch_costs_little_more_than_one_commit_a_correction(engine: Engine) -> None:
    """Each commit is a flush to disk, and the disk sets the pace."""
    engine.propose(*[quantity_change(n) for n in range(1, 21)])
    with written(engine) as commits:
        assert engine.deliver().accepted == 20
    assert 20 < len(commits) <= 20 + 2 + 1


@ON_SQLITE
def test_a_build_of_proposals_is_one_commit(engine: Engine) -> None:
    with written(engine) as commits:
        engine.propose(*[quantity_change(n) for n in range(1, 101)])
    assert len(commits) == 1


@ON_SQLITE
def test_commits_are_on_disk_when_they_return(engine: Engine) -> None:
    with engine.store.read() as connection:
        assert connection.exec_driver_sql("pragma journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("pragma synchronous").scalar() == 2
        assert connection.exec_driver_sql("pragma busy_timeout").scalar() == 30_000


@pytest.mark.parametrize("table", ["attempts", "decisions", "gates", "kill_switch"])
@pytest.mark.parametrize("statement", ["delete from {table}", "update {table} set {any} = {any}"])
def test_history_cannot_be_changed(engine: Engine, table: str, statement: str) -> None:
    engine.propose(quantity_change(needs_approval=True))
    from writeback.approval import approve

    approve(engine.store, engine.only().correction_key, "maria", "")
    engine.deliver()
    engine.store.engage_kill_switch("maria", "")
    with (
        pytest.raises(sa.exc.IntegrityError, match="append-only"),
        engine.store.write() as connection,
    ):
        column = sa.inspect(connection).get_columns(table)[0]["name"]
        connection.exec_driver_sql(statement.format(table=table, any=column))


def test_the_database_itself_refuses_a_second_one_in_flight(engine: Engine) -> None:
    engine.propose(quantity_change(1, new=7), quantity_change(1, new=8))
    with pytest.raises(sa.exc.IntegrityError), engine.store.write() as connection:
        connection.execute(sa.update(corrections).values(state="sending"))


def test_a_transition_is_guarded_by_state_and_lease(engine: Engine) -> None:
    engine.propose(quantity_change())
    now = engine.clock.now()
    key = engine.only().correction_key
    (leased,) = engine.store.lease({"erp": 5}, [], now, now + timedelta(seconds=60), "mine", 5)
    assert leased.state is State.SENDING
    with engine.store.write() as connection:
        with pytest.raises(LeaseLostError):
            engine.store.transition(connection, key, Event.ACCEPT, now, lease_token="other")
        with pytest.raises(IllegalTransitionError, match="is 'sending': 'release'"):
            engine.store.transition(connection, key, Event.RELEASE, now)
        engine.store.transition(
            connection, key, Event.ACCEPT, now, lease_token="mine", state_reason=""
        )
        with pytest.raises(LeaseLostError):
            engine.store.transition(connection, key, Event.ACCEPT, now, lease_token="mine")


def test_due_work_as_the_sensor_sees_it(engine: Engine) -> None:
    now = engine.clock.now()
    assert engine.store.due_fingerprint(now) is None
    engine.propose(*[quantity_change(n) for n in (1, 2)])
    first = engine.store.due_fingerprint(now)
    assert first == engine.store.due_fingerprint(now)
    # A run that died before its first attempt must not block the next minute's.
    assert first != engine.store.due_fingerprint(now + timedelta(seconds=60))
    assert engine.store.due_count(now, ["oms"]) == 0
    engine.world.inject("status_503")
    engine.deliver()
    assert engine.store.due_count(engine.clock.now()) == 0
    engine.clock.advance(3600)
    assert engine.store.due_count(engine.clock.now()) == 1


def test_an_abandoned_lease_is_due_work(engine: Engine) -> None:
    engine.propose(quantity_change())
    now = engine.clock.now()
    engine.store.lease({"erp": 5}, [], now, now + timedelta(seconds=60), "gone", 5)
    assert engine.store.due_count(now) == 0
    assert engine.store.due_count(now + timedelta(seconds=61)) == 1


def test_work_that_a_delivery_would_leave_where_it_is_wakes_nobody(engine: Engine) -> None:
    """A weekend's pause must not start a delivery each minute, which would do nothing."""
    engine.propose(quantity_change())
    store, clock = engine.store, engine.clock

    def due() -> int:
        assert (store.due_fingerprint(clock.now()) is None) == (
            store.waking_count(clock.now()) == 0
        )
        return store.waking_count(clock.now())

    assert due() == 1
    store.pause("erp", "maria", "stock-taking")
    assert (due(), engine.deliver().leased) == (0, 0)
    store.resume("erp", "maria", "done")
    assert due() == 1
    store.engage_kill_switch("maria", "stop everything")
    assert (due(), engine.deliver().leased) == (0, 0)
    store.release_kill_switch("maria", "understood")
    assert due() == 1
    store.set_gates("build-2", {"erp": (False, "a feed stopped")})
    assert (due(), engine.deliver().leased) == (0, 0)
    store.set_gates("build-3", {"erp": (True, "")})
    assert due() == 1
    with store.write() as connection:
        store.set_breaker(connection, "erp", 5, clock.now() + timedelta(seconds=60))
    assert (due(), engine.deliver().leased) == (0, 0)
    clock.advance(60)
    assert due() == 1  # the probe of a target that was left alone
    assert engine.deliver().accepted == 1


def test_work_that_relies_on_a_closed_gate_wakes_until_it_says_so(engine: Engine) -> None:
    engine.store.set_gates("build-2", {"oms": (False, "a feed stopped")})
    looked_at_in_oms = quantity_change()["preconditions"][0] | {"system": "oms"}
    engine.propose(quantity_change(preconditions=[looked_at_in_oms]))
    assert engine.store.waking_count(engine.clock.now()) == 1
    assert engine.deliver().leased == 0
    assert "the gate of system 'oms' is failed" in engine.only().state_reason
    engine.clock.advance(3600)
    assert engine.store.waking_count(engine.clock.now()) == 0
    engine.store.set_gates("build-3", {"oms": (True, "")})
    assert engine.store.waking_count(engine.clock.now()) == 1


def test_what_may_have_been_sent_is_looked_at_while_its_target_is_held(engine: Engine) -> None:
    engine.propose(quantity_change())
    now = engine.clock.now()
    engine.store.lease({"erp": 5}, [], now, now + timedelta(seconds=60), "gone", 5)
    engine.clock.advance(61)
    engine.store.pause("erp", "maria", "stock-taking")
    engine.store.set_gates("build-2", {"erp": (False, "a feed stopped")})
    assert engine.store.waking_count(engine.clock.now()) == 1
    engine.store.expire_leases(engine.clock.now(), timedelta(0))
    assert engine.states() == ["unknown"]
    assert engine.store.waking_count(engine.clock.now()) == 1
    # The kill switch stops that look too.
    engine.store.engage_kill_switch("maria", "stop everything")
    assert (engine.store.waking_count(engine.clock.now()), engine.deliver().leased) == (0, 0)


def test_lists_counts_and_totals(engine: Engine) -> None:
    engine.propose(*[quantity_change(n) for n in (1, 2, 3)])
    engine.world.inject("status_422")
    engine.deliver()
    counts = engine.store.counts_by_state()
    assert set(counts) == {state.value for state in State}
    assert (counts["accepted"], counts["refused"]) == (2, 1)
    assert engine.store.awaiting_proof() == 2
    totals = engine.store.attempt_counts()
    assert (totals.sent, totals.accepted) == (3, 2)
    assert [c.object_id for c in engine.store.list(limit=2)] == ["SO-100003/1", "SO-100002/1"]
    # All of them by no number: PostgreSQL refused the largest one there is.
    assert len(engine.store.list(limit=None)) == 3
    assert len(engine.store.list(limit=None, offset=1)) == 2
    (refused,) = engine.store.list(state="refused", target_system="erp")
    assert engine.store.list(object_id=refused.object_id) == [refused]


def test_the_connector_of_our_own_decisions_finds_what_its_contract_promises(
    engine: Engine,
) -> None:
    from connectors.factory import make_source
    from registry.systems import System
    from writeback.approval import approve

    engine.propose(quantity_change(needs_approval=True))
    approve(engine.store, engine.only().correction_key, "maria", "yes")
    engine.deliver()
    url = engine.store.engine.url.render_as_string(hide_password=False)
    source = make_source(
        System(name="tallyman", role="erp", connector="tallyman", base_url=url), {}
    )
    ((correction,),) = [page.records for page in source.pages("corrections", None)]
    assert correction.fields["state"] == "accepted"
    assert correction.fields["accepted_at"] == engine.clock.now().isoformat()
    assert correction.fields["payload"].startswith('{"line_record":"10"')
    ((decision,),) = [page.records for page in source.pages("decisions", None)]
    assert (decision.fields["actor"], decision.fields["decision"]) == ("maria", "approved")


def test_times_without_a_zone_are_refused(engine: Engine) -> None:
    from datetime import datetime

    with pytest.raises(sa.exc.StatementError, match="no time zone"):
        engine.store.due_count(datetime(2026, 11, 21))


def test_a_store_makes_its_folder(tmp_path: Path) -> None:
    from writeback.store import OperationsStore

    OperationsStore(f"sqlite:///{tmp_path / 'a' / 'b' / 'operations.sqlite'}").close()
    assert (tmp_path / "a" / "b" / "operations.sqlite").is_file()


@pytest.mark.parametrize("answers", [["status_429"], ["status_503"] * 5], ids=["asked", "failed"])
def test_what_a_target_asked_for_and_its_failures_outlast_a_restart(
    engine: Engine, answers: list[str]
) -> None:
    """Failures in a row open the breaker, Retry-After a pause: both are the store's."""
    from dataclasses import replace

    from writeback.store import OperationsStore

    engine.world.inject(*answers)
    engine.propose(*[quantity_change(n) for n in range(1, 8)])
    assert engine.deliver().sent == len(answers)
    url = engine.store.engine.url.render_as_string(hide_password=False)
    before = engine.store.breaker("erp")
    engine.store.close()
    again = replace(engine, store=OperationsStore(url, engine.clock))
    assert again.store.breaker("erp") == before and before[1] is not None
    report = again.deliver()
    assert report.sent == 0 and list(report.open_breakers) == ["erp"]
    again.clock.advance(3600)
    assert again.deliver().accepted == 7
    again.store.close()


def test_columns_and_fields_of_a_correction_are_the_same_in_the_same_order() -> None:
    from dataclasses import fields

    from writeback.model import Correction

    assert [field.name for field in fields(Correction)] == list(corrections.c.keys())


@ON_SQLITE
def test_a_build_reads_of_the_past_only_what_it_proposes_about(engine: Engine) -> None:
    """A day's accepted corrections are many; what is counted is those of the objects at hand."""
    engine.propose(*[quantity_change(n) for n in range(1, 11)])
    engine.deliver()
    with recorded(engine) as statements:
        engine.propose(quantity_change(11), complete=False)
    asked = [(text, bound) for text, bound in statements if "accepted_at >=" in text]
    connection = sqlite3.connect(path_of(engine))
    assert asked
    for text, bound in asked:
        (plan,) = [row[3] for row in connection.execute(f"explain query plan {text}", bound)][:1]
        assert "ix_corrections_object (object_id=?)" in plan, plan
    connection.close()


def test_a_state_that_there_is_not_is_answered_with_those_that_there_are(engine: Engine) -> None:
    with pytest.raises(ConfigurationError, match=r"no state 'foo'; there are: .*ready, sending"):
        engine.store.list(state="foo")
