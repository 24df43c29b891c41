"""A target's allowance of requests: shared by processes, kept over restarts, at no write of its
own."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from engine_under_test import Engine
from fake_target import FakeTarget, ManualClock, World, system
from samples import quantity_change

from connectors.allowances import Allowance, allowance_of, sharing
from connectors.base import CorrectionRequest, Outcome, TargetState
from registry import crash_points
from registry.systems import System
from writeback.brakes import LONGEST_DEBT
from writeback.store import OperationsStore
from writeback.undo import undo

RATE = 2.0
CORRECTIONS = 6


class LimitedTarget(FakeTarget):
    """A target that may be asked twice a second. ``waits``: how long each request waits."""

    def __init__(self, world: World, clock: ManualClock, rate: float = RATE) -> None:
        super().__init__(world, system())
        self.allowance = Allowance(rate, clock.monotonic)
        self.waits: list[float] = []

    def read(self, request: CorrectionRequest) -> TargetState:
        self.waits.append(self.allowance.take())
        return super().read(request)

    def apply(self, request: CorrectionRequest) -> Outcome:
        self.waits.append(self.allowance.take())
        return super().apply(request)

    def undo(self, request: CorrectionRequest, target_record_id: str | None) -> Outcome:
        self.waits.append(self.allowance.take())
        return super().undo(request, target_record_id)


def restarted(engine: Engine) -> LimitedTarget:
    """The next process: it knows what the store knows."""
    url = engine.store.engine.url.render_as_string(hide_password=False)
    engine.store.close()
    engine.store = OperationsStore(url, engine.clock)
    engine.target = LimitedTarget(engine.world, engine.clock)
    return engine.target


def expected_waits(requests: int, before: int = 0) -> list[float]:
    """Two at once, and then one each half second."""
    return [max(0.0, number / RATE - 1) for number in range(before + 1, before + requests + 1)]


@pytest.fixture
def limited(engine: Engine) -> LimitedTarget:
    engine.target = LimitedTarget(engine.world, engine.clock)
    engine.propose(*(quantity_change(n) for n in range(1, CORRECTIONS + 1)))
    return engine.target


def test_a_restart_forgets_nothing_that_was_asked(engine: Engine, limited: LimitedTarget) -> None:
    assert engine.deliver(limit=4).accepted == 4
    assert limited.waits == pytest.approx(expected_waits(8))
    after = restarted(engine)
    assert engine.deliver().accepted == 2
    assert after.waits == pytest.approx(expected_waits(4, before=8))


def test_what_was_asked_is_allowed_again_with_time(engine: Engine, limited: LimitedTarget) -> None:
    engine.deliver(limit=4)
    engine.clock.advance(60)
    after = restarted(engine)
    engine.deliver()
    assert after.waits == pytest.approx(expected_waits(4))


def test_two_processes_share_what_is_allowed(engine: Engine, limited: LimitedTarget) -> None:
    """In turns, each after its look at the store: as if one had asked all of it."""
    other = LimitedTarget(engine.world, engine.clock)
    asked: list[float] = []
    for number in range(CORRECTIONS):
        engine.target = other if number % 2 else limited
        before = len(engine.target.waits)
        assert engine.deliver(limit=1).accepted == 1
        asked += engine.target.waits[before:]
    assert asked == pytest.approx(expected_waits(2 * CORRECTIONS))


def test_a_killed_process_takes_along_no_more_than_one_correction_asked(
    engine: Engine, limited: LimitedTarget
) -> None:
    def die(name: str) -> None:
        if name == "writeback.after_send_before_mark" and len(limited.waits) == 6:
            raise KeyboardInterrupt

    with crash_points.observed(die), pytest.raises(KeyboardInterrupt):
        engine.deliver()
    restarted(engine)
    known = engine.store.conditions(["erp"]).allowances["erp"]
    assert known == engine.clock.now() + timedelta(seconds=4 / RATE)


def test_a_clock_that_is_set_back_stops_nothing_for_long(
    engine: Engine, limited: LimitedTarget
) -> None:
    engine.deliver(limit=4)
    key = engine.store.list(state="accepted")[0].correction_key
    engine.clock.set(-3600)
    for _ in range(2):
        after = restarted(engine)
        undo(engine.store, {"erp": after}, key, "maria", "", engine.clock, engine.rng)
        (wait,) = after.waits
        assert wait <= LONGEST_DEBT.total_seconds() + 1
        key = engine.store.list(state="accepted")[0].correction_key


def test_it_costs_no_write_of_its_own(engine: Engine, limited: LimitedTarget) -> None:
    begun: list[bool] = []
    sa.event.listen(
        engine.store.engine,
        "begin",
        lambda c: begun.append(bool(c.get_execution_options().get("tallyman_writes"))),
    )
    engine.deliver(limit=1)
    with_allowance, begun[:] = list(begun), []
    engine.target = FakeTarget(engine.world, system())
    engine.deliver(limit=1)
    assert begun == with_allowance


def test_a_large_allowance_is_told_of_in_tenths(engine: Engine) -> None:
    engine.target = LimitedTarget(engine.world, engine.clock, rate=50)
    engine.propose(*(quantity_change(n) for n in range(1, 5)))
    told = []
    for _ in range(4):
        engine.deliver(limit=1)
        told.append(engine.store.conditions(["erp"]).allowances.get("erp"))
    # A tenth of fifty is five, and each correction asks twice.
    assert told[:2] == [None, None]
    assert told[2:] == [engine.clock.now() + timedelta(seconds=6 / 50)] * 2


def test_taking_back_asks_too(engine: Engine, limited: LimitedTarget) -> None:
    engine.deliver(limit=4)
    key = engine.store.list(state="accepted")[0].correction_key
    after = restarted(engine)
    undo(engine.store, {"erp": after}, key, "maria", "", engine.clock, engine.rng)
    assert after.waits == pytest.approx(expected_waits(1, before=8))
    assert engine.store.conditions(["erp"]).allowances["erp"] == engine.clock.now() + timedelta(
        seconds=9 / RATE
    )


def test_clients_of_one_system_share_an_allowance() -> None:
    erp = System(name="erp", role="erp", connector="x")
    oms = System(name="oms", role="oms", connector="x")
    with sharing({}):
        assert allowance_of(erp) is allowance_of(erp)
        assert allowance_of(erp) is not allowance_of(oms)
    assert allowance_of(erp) is not allowance_of(erp)
