"""What the simulation found in the engine, each as a small story of its own."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from engine_under_test import Engine
from fake_target import FakeTarget, ManualClock, system
from samples import quantity_change

from connectors.base import CorrectionRequest, Outcome, Result
from connectors.corrections import Action, HttpTarget, deadline_passed, judge
from connectors.deadlines import Deadline
from connectors.http import HttpClient
from registry import crash_points
from registry.systems import System
from writeback.approval import approve
from writeback.dispatch import BREAKER_FAILURES, DeliverySettings, deliver_due
from writeback.states import Event
from writeback.store import LeaseLostError
from writeback.undo import UNDO_LEASE, undo


class Patient(FakeTarget):
    """A target that asks for time."""

    wait_seconds = 600.0
    asked = True
    code = "rate_limited"

    def apply(self, request: CorrectionRequest) -> Outcome:
        if self.asked:
            return Outcome(Result.RETRY, self.code, retry_after_seconds=self.wait_seconds)
        return super().apply(request)


def test_an_approval_does_not_shorten_what_the_target_asked_for(engine: Engine) -> None:
    """Its content changed while it waited for the target, and a person approved the new one."""
    engine.target = Patient(engine.world, system())
    engine.target.code = "locked"
    engine.propose(quantity_change())
    engine.deliver()
    engine.target.asked = False
    changed = quantity_change(needs_approval=True, frontier=engine.clock.now())
    engine.propose(changed)
    engine.clock.advance(60)
    approve(engine.store, engine.only().correction_key, "maria", "")
    assert engine.deliver().sent == 0
    engine.clock.advance(800)
    assert engine.deliver().accepted == 1


@pytest.mark.parametrize(("code", "others_wait"), [("rate_limited", True), ("locked", False)])
def test_a_wait_that_is_about_us_holds_back_all_that_goes_to_the_target(
    engine: Engine, code: str, others_wait: bool
) -> None:
    """429 is about the sender, 423 about one record."""
    engine.target = Patient(engine.world, system())
    engine.target.code = code
    engine.propose(quantity_change(1), quantity_change(2))
    assert engine.deliver().sent == (1 if others_wait else 2)
    engine.target.asked = False
    engine.clock.advance(500)
    assert engine.deliver().sent == 0
    engine.clock.advance(300)
    assert engine.deliver().sent == 2


def test_a_typing_error_in_retry_after_stops_a_target_for_an_hour_at_most(engine: Engine) -> None:
    engine.target = Patient(engine.world, system())
    engine.target.wait_seconds = 1e9
    engine.propose(quantity_change(1), quantity_change(2))
    engine.deliver()
    engine.target.asked = False
    engine.clock.advance(3601)
    assert engine.deliver().accepted == 1


def test_failures_that_two_dispatchers_see_are_counted_together(engine: Engine) -> None:
    """Each had read the count before the other one wrote it."""
    engine.propose(*[quantity_change(n) for n in range(1, 10)])
    engine.world.inject(*["status_503"] * 20)
    sent: list[int] = []

    def deliver(target: FakeTarget, limit: int) -> None:
        report = deliver_due(
            engine.store,
            {"erp": target},
            {"erp": engine.source},
            engine.policy,
            engine.clock,
            engine.rng,
            limit,
            DeliverySettings(rows_a_lease=1),
        )
        sent.append(report.sent)

    def meanwhile(_request: CorrectionRequest) -> None:
        engine.target.on_apply = None
        deliver(FakeTarget(engine.world, system()), 2)

    engine.target.on_apply = meanwhile
    deliver(engine.target, 100)
    assert sent == [2, BREAKER_FAILURES - 2]


def test_who_lost_its_lease_still_heeds_what_the_target_asked_for(engine: Engine) -> None:
    """The answer came so late that the correction is somebody else's; the patience is for all."""

    class Late(Patient):
        def apply(self, request: CorrectionRequest) -> Outcome:
            engine.clock.advance(600)
            engine.store.expire_leases(engine.clock.now(), timedelta(0))
            return super().apply(request)

    engine.target = Late(engine.world, system())
    engine.propose(quantity_change())
    assert engine.deliver().lost_leases == 1
    assert engine.store.breaker("erp") == (1, engine.clock.now() + timedelta(seconds=600))


@pytest.mark.parametrize("undoing", [False, True])
def test_the_request_carries_a_deadline(engine: Engine, undoing: bool) -> None:
    """A process that was stopped for longer must not send on what it read long ago."""
    seen: list[Deadline | None] = []

    class Noting(FakeTarget):
        def apply(self, request: CorrectionRequest) -> Outcome:
            seen.append(request.deadline)
            return super().apply(request)

        def undo(self, request: CorrectionRequest, target_record_id: str | None) -> Outcome:
            seen.append(request.deadline)
            return super().undo(request, target_record_id)

    engine.target = Noting(engine.world, system())
    engine.propose(quantity_change())
    clock = engine.clock
    begun, passed = clock.now(), clock.monotonic()
    engine.deliver()
    assert seen == [Deadline(begun + timedelta(seconds=180), passed + 180, clock)]
    if undoing:
        key = engine.only().correction_key
        undo(engine.store, {"erp": engine.target}, key, "maria", "", clock, random.Random(1))
        assert seen[1] == Deadline.after(UNDO_LEASE, clock)


@pytest.mark.parametrize("held_up", ["before the look", "before the request"])
def test_a_clock_that_is_set_back_does_not_lengthen_a_deadline(
    engine: Engine, held_up: str
) -> None:
    """A sender sleeps for longer than its lease, and the time of day is set back meanwhile."""
    clock = engine.clock

    def sleep() -> None:
        if clock.passed < 1000:
            clock.advance(1063)
            clock.set(-3600)

    class Slow(FakeTarget):
        def apply(self, request: CorrectionRequest) -> Outcome:
            if held_up == "before the request":
                sleep()
            return deadline_passed(request) or super().apply(request)

    engine.target = Slow(engine.world, system())
    engine.propose(quantity_change())
    point = "writeback.after_look" if held_up == "before the look" else None
    with crash_points.observed(lambda name: sleep() if name == point else None):
        report = engine.deliver(limit=1)
    assert (report.accepted, report.postponed) == (0, 1)
    assert report.sent == (0 if point else 1)
    assert engine.world.effects() == []


def held_up_target(
    answer: Callable[[httpx.Request], httpx.Response], clock: ManualClock, **seams: Any
) -> tuple[HttpTarget, CorrectionRequest]:
    """A target whose one action sends one request, and a correction with a minute to go."""
    configured = System(
        name="erp", role="erp", connector="x", base_url="http://erp.test", requests_per_second=1
    )
    target = HttpTarget(
        configured, HttpClient(configured, transport=httpx.MockTransport(answer), **seams)
    )

    def apply(_request: CorrectionRequest) -> Outcome:
        return target.send("POST", "/notes", {}, "key", lambda body: str(body["id"]))

    target.actions["add_note"] = Action(lambda r: None, apply, lambda r, _: apply(r))  # type: ignore[arg-type,return-value]
    deadline = Deadline.after(timedelta(seconds=60), clock)
    return target, CorrectionRequest("add_note", "SO-1", {}, {}, "key", clock.now(), deadline)


@pytest.mark.parametrize("set_back", [0, 3600])
@pytest.mark.parametrize("where", ["nowhere", "while it waits its turn", "while it reads"])
def test_nothing_leaves_after_the_deadline(where: str, set_back: float) -> None:
    """Also when the time ran out behind the last look of the engine."""
    sent: list[httpx.Request] = []
    clock = ManualClock()

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"id": 1})

    def sleep(_seconds: float = 0) -> None:
        clock.advance(61)
        clock.set(-set_back)

    target, request = held_up_target(answer, clock, sleep=sleep)
    if where == "while it waits its turn":
        target.http.get("/")  # which takes the one request that the second allows
        sent.clear()
    elif where == "while it reads":
        sends = target.actions["add_note"].apply
        read_first = Action(lambda r: None, lambda r: (sleep(), sends(r))[1], lambda r, _: sends(r))  # type: ignore[arg-type,return-value]
        target.actions["add_note"] = read_first
    outcome = target.apply(request)
    if where == "nowhere":
        assert (outcome.result, len(sent)) == (Result.OK, 1)
        return
    assert (outcome.result, outcome.code, sent) == (Result.RETRY, "too_late", [])
    assert target.undo(request, None).code == "too_late"
    assert sent == []


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ({"title": "Later", "retry_after": 30}, 30),
        ({"retryAfter": 2.5}, 2.5),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "45"}, 45),
        ({"retry_after": 10**400}, None),
        ({"retry_after": float("inf")}, None),
        ({"retry_after": True}, None),
        ([1], None),
    ],
)
def test_retry_after_in_a_problem_document(body: Any, seconds: float | None) -> None:
    request = httpx.Request("POST", "http://erp.test/")
    response = httpx.Response(429, content=json.dumps(body), request=request)
    assert judge(response, lambda _: None).retry_after_seconds == seconds


def test_a_sleeper_does_not_take_a_correction_from_who_holds_it_now(engine: Engine) -> None:
    """Both leases are on one correction in one state: only the token tells them apart."""
    engine.propose(quantity_change())
    store, clock = engine.store, engine.clock
    lease = timedelta(seconds=180)
    (slept,) = store.lease({"erp": 1}, [], clock.now(), clock.now() + lease, "first", 1)
    clock.advance(600)
    store.expire_leases(clock.now(), timedelta(0))
    key = slept.correction_key
    with store.write() as connection:
        store.transition(
            connection, key, Event.FIND_ABSENT, clock.now(), next_attempt_at=clock.now()
        )
    (holds,) = store.lease({"erp": 1}, [], clock.now(), clock.now() + lease, "second", 1)
    with pytest.raises(LeaseLostError), store.write() as connection:
        store.transition(connection, key, Event.POSTPONE, clock.now(), lease_token="first")
    assert store.get(key).correction == holds
