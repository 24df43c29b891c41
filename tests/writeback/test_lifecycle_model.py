"""The lifecycle against a reference model: any story of people, faults, crashes and proofs.

The model below is written from the design, not from the engine: what a correction's state must be
after each step. The pretend system's ledger is compared too.
"""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from engine_under_test import Engine
from fake_target import FakeSource, FakeTarget, ManualClock, World, system
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from samples import proof, quantity_change

from registry.systems import Policy
from writeback.approval import approve, reject
from writeback.undo import undo
from writeback.verify import apply_proofs

OBJECTS = (1, 2, 3)
NEEDS_APPROVAL = 3  # the object whose corrections always wait for a person
OLD, NEW = 5, 7
ATTEMPTS = 10
DAY = timedelta(hours=24)
FAULTS = {
    "none": "accepted",
    "lost_request": "unknown",
    "lost_response": "unknown",
    "status_503": "ready",
    "status_422": "refused",
    "status_412": "refused",
}


@dataclass
class Modelled:
    """What the newest correction of an object must be."""

    state: str
    attempts: int = 0
    possibly_sent: bool = False
    conflicted: bool = False
    withdrawn: bool = False
    changed_at: datetime | None = None
    approved_until: datetime | None = None


@dataclass
class Model:
    newest: dict[int, Modelled] = field(default_factory=dict)
    value: dict[int, int] = field(default_factory=lambda: dict.fromkeys(OBJECTS, OLD))
    accepted: dict[int, list[datetime]] = field(
        default_factory=lambda: {number: [] for number in OBJECTS}
    )
    # What is proposed no more has ended: what drifts after that is another exception.
    drifts: dict[int, int] = field(default_factory=lambda: dict.fromkeys(OBJECTS, 1))
    rows: int = 0
    gate_open: bool = True
    killed: bool = False


class Lifecycle(RuleBasedStateMachine):
    """Every rule first moves the clock, so that no two things happen at one moment."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        home = Path(self.folder.name)
        clock = ManualClock()
        world = World(home / "world.sqlite")
        from writeback.store import OperationsStore

        store = OperationsStore(f"sqlite:///{home / 'operations.sqlite'}", clock)
        store.set_gates("build", {"erp": (True, "")})
        for number in OBJECTS:
            world.set_line(f"E5{number:05}/10", OLD)
        target, source = FakeTarget(world, system()), FakeSource(world)
        self.engine = Engine(store, clock, world, target, source, Policy(), random.Random(5))
        self.model = Model()

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.engine.store.close()
            self.folder.cleanup()

    def later(self, seconds: float = 60) -> datetime:
        self.engine.clock.advance(seconds)
        return self.engine.clock.now()

    def key(self, number: int) -> str:
        object_id = f"SO-1{number:05}/1"
        return self.engine.store.list(object_id=object_id)[0].correction_key

    # ---- the warehouse ---------------------------------------------------------------------

    @rule(numbers=st.sets(st.sampled_from(OBJECTS)))
    def a_build_proposes(self, numbers: set[int]) -> None:
        now = self.later()
        self.engine.propose(
            *[
                quantity_change(
                    number,
                    frontier=now,
                    needs_approval=number == NEEDS_APPROVAL,
                    obligation_ids=[f"O04:{number}:{self.model.drifts[number]}"],
                )
                for number in numbers
            ]
        )
        for number in OBJECTS:
            previous = self.model.newest.get(number)
            if number not in numbers:
                self.model.drifts[number] += 1
                self._withdrawn(previous, now)
            elif previous is None or self._is_settled(previous):
                recent = [t for t in self.model.accepted[number] if t >= now - DAY]
                held = (
                    number == NEEDS_APPROVAL
                    or len(recent) >= 2
                    or (previous is not None and previous.state in ("moot", "reverted"))
                )
                state = "awaiting_approval" if held else "ready"
                self.model.newest[number] = Modelled(state, changed_at=now)
                self.model.rows += 1

    @staticmethod
    def _withdrawn(previous: Modelled | None, now: datetime) -> None:
        if previous is None:
            return
        if previous.state == "ready" and previous.possibly_sent:
            return
        if previous.state in ("awaiting_approval", "ready", "refused", "dead"):
            previous.state, previous.withdrawn = "superseded", True
        elif previous.state == "rejected":
            previous.withdrawn = True

    @staticmethod
    def _is_settled(previous: Modelled) -> bool:
        return (
            previous.state in ("verified", "superseded", "moot", "reverted")
            or (previous.state == "refused" and previous.conflicted)
            or (previous.state == "rejected" and previous.withdrawn)
        )

    @rule(
        number=st.sampled_from(OBJECTS),
        verdict=st.sampled_from(["verified", "unproven", "moot", "waiting"]),
    )
    def a_build_judges(self, number: int, verdict: str) -> None:
        self.later()
        newest = self.model.newest.get(number)
        if newest is None:
            return
        row = proof(self.key(number), verdict)
        apply_proofs(self.engine.store, [row], self.engine.clock)
        may = ("accepted",) if verdict == "unproven" else ("accepted", "unproven")
        if verdict != "waiting" and newest.state in may:
            newest.state = verdict

    @rule(passed=st.booleans())
    def the_gate_reports(self, passed: bool) -> None:
        self.engine.store.set_gates("build", {"erp": (passed, "as drawn")})
        self.model.gate_open = passed

    # ---- delivery --------------------------------------------------------------------------

    @rule(fault=st.sampled_from(sorted(FAULTS)))
    def the_dispatcher_runs(self, fault: str) -> None:
        """An hour later, so that every delay and every lease is over."""
        now = self.later(3600)
        with self.engine.store.write() as connection:
            self.engine.store.set_breaker(connection, "erp", 0, None)
        self.engine.world.inject(*[fault] * 10)
        self.engine.deliver()
        with self.engine.world.transaction() as connection:
            connection.execute("delete from fault")
        for number, newest in self.model.newest.items():
            self._expire(newest)
            if self.model.killed:
                continue
            if newest.state == "unknown":
                self._resolve(number, newest, now)
            if newest.state == "ready" and self.model.gate_open:
                self._send(number, newest, fault, now)

    @staticmethod
    def _expire(newest: Modelled) -> None:
        if newest.state == "sending":
            newest.state, newest.possibly_sent = "unknown", True
            newest.attempts += 1

    def _resolve(self, number: int, newest: Modelled, now: datetime) -> None:
        if self.model.value[number] == NEW:
            self._accept(number, newest, now)
        else:
            newest.state = "dead" if newest.attempts >= ATTEMPTS else "ready"

    def _send(self, number: int, newest: Modelled, fault: str, now: datetime) -> None:
        if newest.approved_until is not None and now >= newest.approved_until:
            newest.state, newest.approved_until = "awaiting_approval", None
            return
        if self.model.value[number] == NEW and newest.possibly_sent:
            self._accept(number, newest, now)
            return
        if self.model.value[number] != OLD:
            newest.state = "superseded"
            return
        newest.attempts += 1
        if fault in ("none", "lost_response"):
            self.model.value[number] = NEW
        newest.state = FAULTS[fault]
        newest.conflicted = fault == "status_412"
        if newest.state == "unknown":
            newest.possibly_sent = True
        if newest.state == "ready" and newest.attempts >= ATTEMPTS:
            newest.state = "dead"
        if newest.state == "accepted":
            self._accept(number, newest, now)

    def _accept(self, number: int, newest: Modelled, now: datetime) -> None:
        newest.state = "accepted"
        self.model.accepted[number].append(now)

    @precondition(lambda self: self.model.gate_open and not self.model.killed)
    @rule(applied=st.booleans())
    def a_dispatcher_dies_holding_what_is_ready(self, applied: bool) -> None:
        """With the requests applied, or before they left; the lease is all that remains."""
        now = self.later(3600)
        store = self.engine.store
        store.expire_leases(now, timedelta(0))
        leased = store.lease({"erp": 10}, [], now, now + timedelta(seconds=180), "gone", 10)
        for newest in self.model.newest.values():
            self._expire(newest)
        for correction in leased:
            number = int(correction.object_id[4:9])
            newest = self.model.newest[number]
            assert newest.state == "ready"
            newest.state = "sending"
            if applied and self.model.value[number] == OLD:
                self.engine.world.apply(correction.request())
                self.model.value[number] = NEW

    @rule(killed=st.booleans())
    def the_kill_switch_moves(self, killed: bool) -> None:
        store = self.engine.store
        (store.engage_kill_switch if killed else store.release_kill_switch)("maria", "as drawn")
        self.model.killed = killed

    # ---- people ----------------------------------------------------------------------------

    @rule(number=st.sampled_from(OBJECTS), yes=st.booleans())
    def a_person_decides(self, number: int, yes: bool) -> None:
        now = self.later()
        newest = self.model.newest.get(number)
        if newest is None or newest.state != "awaiting_approval":
            return
        (approve if yes else reject)(self.engine.store, self.key(number), "maria", "as drawn")
        newest.state = "ready" if yes else "rejected"
        newest.approved_until = now + DAY if yes else None

    @rule(number=st.sampled_from(OBJECTS), value=st.sampled_from([OLD, 6, NEW]))
    def a_person_edits_the_target(self, number: int, value: int) -> None:
        """Not while a request of ours may be under way: then who wrote last can't be told."""
        newest = self.model.newest.get(number)
        if newest is not None and newest.state in ("sending", "unknown"):
            return
        self.engine.world.set_line(f"E5{number:05}/10", value)
        self.model.value[number] = value

    @rule(number=st.sampled_from(OBJECTS))
    def a_person_takes_it_back(self, number: int) -> None:
        self.later()
        newest = self.model.newest.get(number)
        may = ("accepted", "verified", "unproven", "moot")
        if newest is None or newest.state not in may or self.model.killed:
            return
        targets = {"erp": self.engine.target}
        clock = self.engine.clock
        undo(self.engine.store, targets, self.key(number), "maria", "", clock, random.Random(9))
        if self.model.value[number] == NEW:
            self.model.value[number] = OLD
            newest.state = "reverted"

    # ---- what must hold always -------------------------------------------------------------

    @invariant()
    def states_are_as_modelled(self) -> None:
        if not hasattr(self, "engine"):
            return
        for number, newest in self.model.newest.items():
            correction = self.engine.store.get(self.key(number)).correction
            assert correction.state == newest.state, (number, correction.state_reason)
            assert correction.attempts == newest.attempts
        assert sum(self.engine.store.counts_by_state().values()) == self.model.rows

    @invariant()
    def the_target_holds_what_the_model_says(self) -> None:
        if hasattr(self, "engine"):
            for number, value in self.model.value.items():
                assert self.engine.world.line(f"E5{number:05}/10") == Decimal(value)

    @invariant()
    def no_key_has_two_effects_and_nothing_unapproved_has_one(self) -> None:
        if not hasattr(self, "engine"):
            return
        keys = [key for key, *_ in self.engine.world.effects()]
        assert len(keys) == len(set(keys))
        for correction in self.engine.store.list(limit=1000):
            if correction.idempotency_key in keys and correction.needs_approval:
                decided = self.engine.store.get(correction.correction_key).decisions
                assert "approved" in {d.decision for d in decided}

    @invariant()
    def an_object_has_one_in_flight(self) -> None:
        if not hasattr(self, "engine"):
            return
        flying = [
            correction.object_id
            for state in ("sending", "unknown", "accepted")
            for correction in self.engine.store.list(state=state, limit=1000)
        ]
        assert len(flying) == len(set(flying))


Lifecycle.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestLifecycle = Lifecycle.TestCase
