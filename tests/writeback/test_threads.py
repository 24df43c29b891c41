"""Several workers in one process: each correction once, one flush for many, one probe at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from datetime import timedelta
from unittest.mock import patch

import pytest
from engine_under_test import Engine
from fake_target import system
from samples import quantity_change
from sqlalchemy import event
from sqlalchemy.engine import Connection

from connectors.base import CorrectionRequest
from writeback import tables as t
from writeback.brakes import Conditions
from writeback.dispatch import (
    BREAKER_FAILURES,
    DeliveryReport,
    DeliverySettings,
    _Rooms,
    deliver_due,
)


def deliver(engine: Engine, threads: int) -> DeliveryReport:
    engine.target.system = system().model_copy(update={"write_threads": threads})
    return deliver_due(
        engine.store,
        {"erp": engine.target},
        {"erp": engine.source},
        engine.policy,
        engine.clock,
        engine.rng,
        settings=DeliverySettings(rows_a_lease=1),
    )


def test_a_target_with_several_threads_gets_each_correction_once(engine: Engine) -> None:
    meeting = threading.Barrier(3, timeout=60)
    senders: set[str] = set()

    def meet(_request: CorrectionRequest) -> None:
        name = threading.current_thread().name
        if name not in senders:
            senders.add(name)
            meeting.wait()

    engine.target.on_apply = meet
    engine.propose(*[quantity_change(n) for n in range(1, 13)])
    report = deliver(engine, 3)
    assert (report.leased, report.sent, report.accepted, len(senders)) == (12, 12, 12, 3)
    assert len(engine.world.requests()) == len({key for key, *_ in engine.world.effects()}) == 12


def test_a_target_that_failed_is_probed_by_one_of_its_threads(engine: Engine) -> None:
    engine.propose(*[quantity_change(n) for n in range(1, 13)])
    engine.world.inject(*["status_503"] * BREAKER_FAILURES)
    deliver(engine, 1)
    engine.clock.advance(61)
    probing = threading.Event()

    def probe(_request: CorrectionRequest) -> None:
        # The other workers have the time to come with theirs.
        assert not probing.is_set()
        probing.set()
        time.sleep(0.2)

    engine.target.on_apply = probe
    engine.world.inject("status_503")
    assert deliver(engine, 3).sent == 1


def test_what_one_worker_breaks_on_ends_the_call_and_the_others_finish(engine: Engine) -> None:
    engine.propose(*[quantity_change(n) for n in range(1, 9)])

    class Broken(BaseException):
        pass

    def break_down(_request: CorrectionRequest) -> None:
        engine.target.on_apply = None
        raise Broken

    engine.target.on_apply = break_down
    with pytest.raises(Broken):
        deliver(engine, 2)
    states = engine.states()
    # The one that broke is still leased: it will be read, since nobody knows how far it came.
    assert states.count("sending") == 1 and set(states) <= {"sending", "accepted", "ready"}


def test_threads_that_write_at_once_share_a_flush_and_no_error(engine: Engine) -> None:
    """The first holds the database; what comes meanwhile is one transaction."""
    commits: list[int] = []
    event.listen(engine.store.engine, "commit", lambda _connection: commits.append(1))
    started, go_on = threading.Event(), threading.Event()
    outcomes: dict[int, BaseException | None] = {}

    def note(connection: Connection, number: int) -> None:
        connection.execute(t.breakers.insert().values(system=f"s{number}", failures=number))
        if number == 0:
            started.set()
            assert go_on.wait(60)
        if number == 3:
            raise ValueError("a step of its own")

    def write(number: int) -> None:
        try:
            engine.store.write_together(lambda connection: note(connection, number))
            outcomes[number] = None
        except ValueError as error:
            outcomes[number] = error

    threads = [threading.Thread(target=write, args=(number,)) for number in range(5)]
    threads[0].start()
    assert started.wait(60)
    for thread in threads[1:]:
        thread.start()
    deadline = time.monotonic() + 60
    while len(engine.store._queue.waiting) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    go_on.set()
    for thread in threads:
        thread.join(60)
    assert len(commits) == 2
    assert [number for number, error in outcomes.items() if error is not None] == [3]
    with engine.store.read() as connection:
        kept = sorted(row.system for row in connection.execute(t.breakers.select()))
    assert kept == ["s0", "s1", "s2", "s4"]


def test_an_abandoned_lease_of_a_worker_is_read_like_any(engine: Engine) -> None:
    engine.propose(quantity_change())
    now = engine.clock.now()
    engine.store.lease({"erp": 5}, [], now, now + timedelta(seconds=60), "gone", 5)
    engine.clock.advance(70)
    report = deliver(engine, 2)
    assert (report.abandoned, report.accepted) == (1, 1)
    phases = [entry.phase for entry in engine.store.get(engine.only().correction_key).attempts]
    assert phases == ["lease", "read", "send"]


def test_after_a_worker_failed_nobody_takes_what_another_gives_back() -> None:
    rooms = _Rooms(20)
    assert rooms.take(10) == 10
    rooms.close()
    assert rooms.take(10) == 0
    rooms.give_back(7)
    assert rooms.take(10) == 0


def test_a_target_that_answered_another_worker_is_left_alone_no_more(engine: Engine) -> None:
    """This one saw it fail; an answer to another's request closed the breaker since."""
    engine.propose(*[quantity_change(n) for n in range(1, 13)])
    engine.world.inject(*["status_503"] * BREAKER_FAILURES)
    ask = engine.store.conditions

    def answered(systems: Iterable[str]) -> Conditions:
        with engine.store.write() as connection:
            failures, _ = engine.store.breaker_in(connection, "erp")
            if failures >= BREAKER_FAILURES:
                engine.store.set_breaker(connection, "erp", 0, None)
        return ask(systems)

    with patch.object(engine.store, "conditions", answered):
        report = deliver(engine, 1)
    assert report.accepted == 12 - BREAKER_FAILURES
    assert report.postponed == BREAKER_FAILURES
    assert not any("released" in c.state_reason for c in engine.store.list())
