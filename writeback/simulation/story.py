"""One seed: a world is drawn, faults reign, then they stop, and everything must come right."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connectors.base import CorrectionRequest
from registry import crash_points
from writeback.database import WriterQueue
from writeback.dispatch import DeliverySettings, deliver_due
from writeback.model import Correction
from writeback.propose import enqueue
from writeback.simulation.faults import Faults
from writeback.simulation.oracle import Oracle, Violation
from writeback.simulation.people import People
from writeback.simulation.schedule import EngineClock, KilledError, Process, Schedule
from writeback.simulation.systems import KINDS, Held, Item, TargetSystem, Truth
from writeback.simulation.transport import SimulatedSource, SimulatedTarget
from writeback.simulation.warehouse import UNPROVED, Build, Warehouse, policy_of
from writeback.states import Event, State
from writeback.store import LeaseLostError, OperationsStore
from writeback.verify import apply_proofs

HOUR = 3600.0
MOST_CYCLES = 80
LEASE_SECONDS = 180.0


@dataclass
class StoryResult:
    """What one seed showed. ``convergence_seconds``: from the end of the faults to rest."""

    seed: int
    events: int
    simulated_seconds: float
    fired: dict[str, int]
    crash_points: dict[str, int]
    corrections: int
    effects: int
    verified: int
    requests: int
    convergence_seconds: float | None
    cycles: int
    violations: list[Violation]
    trail: list[str] = field(default_factory=list)


class SimulatedStore(OperationsStore):
    """The product's store, in memory. Between two transactions other processes may have their turn,
    and a commit may find the disk full."""

    story: Story

    def __init__(self, story: Story) -> None:
        self.story = story
        self.inside = False
        self.moves: list[tuple[str, Event]] = []
        self.closing: dict[Process | None, dict[str, bool]] = {}
        self.clock = story.clock
        self.engine = _blank_database()
        self._reading = {}
        self._queue = WriterQueue()

    def write_together(self, step: Callable[[Connection], Any]) -> Any:
        """One process at a time has its turn here, so that there is nobody to share with."""
        with self.write() as connection:
            return step(connection)

    def close(self) -> None:
        """The next story takes the connection over."""

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self.story.between_transactions()
        self.inside = True
        try:
            with super().write() as connection:
                yield connection
                if self.story.disk_is_full():
                    raise sa.exc.OperationalError("commit", None, DiskFullError())
            for correction_key, event in self.moves:
                self.story.moved(correction_key, event)
            if self.story.schedule.current is not None:
                self.story.oracle.stored(self.story.schedule.current.name)
            closing = self.closing.pop(self.story.schedule.current, {})
            for system, closed in closing.items():
                self.story.oracle.gates[system].append((self.story.now, closed))
        finally:
            self.inside = False
            self.moves.clear()

    def set_gates(
        self,
        build: str,
        results: Mapping[str, tuple[bool | None, str]],
        *,
        not_taken_up: bool = False,
    ) -> None:
        """The judge goes by what was committed, also when the process dies right after it."""
        closing = {s: not_taken_up or not passed for s, (passed, _) in results.items()}
        self.closing[self.story.schedule.current] = closing
        super().set_gates(build, results, not_taken_up=not_taken_up)

    def open_pending(self, connection: Connection, build: str) -> list[str]:
        opened = super().open_pending(connection, build)
        self.closing[self.story.schedule.current] = dict.fromkeys(opened, False)
        return opened

    def transition(
        self,
        connection: Connection,
        correction_key: str,
        event: Event,
        now: datetime,
        *,
        lease_token: str | None = None,
        only_from: Iterable[State] | None = None,
        **values: Any,
    ) -> None:
        try:
            super().transition(
                connection,
                correction_key,
                event,
                now,
                lease_token=lease_token,
                only_from=only_from,
                **values,
            )
        except LeaseLostError:
            if self.story.schedule.current is not None:
                self.story.oracle.lost_lease(self.story.schedule.current.name)
            raise
        self.moves.append((correction_key, event))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self.story.between_transactions()
        with super().read() as connection:
            yield connection


@cache
def _memory() -> tuple[sa.Engine, Any, bytes]:
    """One connection to memory for all stories of this process, and the image of a new store: to
    make the tables, and to learn the statements anew, would cost more than a story."""
    engine = OperationsStore("sqlite://").engine
    connection: Any = engine.raw_connection()
    return engine, connection, connection.driver_connection.serialize()


def _blank_database() -> sa.Engine:
    engine, connection, image = _memory()
    connection.driver_connection.deserialize(image)
    return engine


class DiskFullError(Exception):
    """What the driver says when the disk is full."""

    def __str__(self) -> str:
        return "database or disk is full"


class Story:
    """Everything of one seed. ``keep_trail``: keep a readable line for each event."""

    def __init__(self, seed: int, keep_trail: bool = False) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.trail: list[str] | None = [] if keep_trail else None
        self.schedule = Schedule()
        self.clock = EngineClock(self.schedule)
        self.faults = Faults(random.Random(self.rng.getrandbits(64)))
        self.lease_seconds = LEASE_SECONDS
        self.zombies = 0
        self.last_clock_step = -1.0
        self.ever_two_dispatchers = False
        self.requests: dict[str, CorrectionRequest] = {}
        self.accepted_at: dict[str, float] = {}
        self.truth = self._draw_world()
        self.oracle = Oracle(self)
        self.people = People(self)
        self.warehouse = Warehouse(self)
        self.policy = policy_of(len(self.truth.items))
        self.simulated_targets = {
            name: SimulatedTarget(self, target) for name, target in self.truth.targets.items()
        }
        items = self.truth.items
        self.simulated_sources = {
            "hub": SimulatedSource(self, "hub", lambda key, at: items[key].authority.at(at)),
            **{
                name: SimulatedSource(self, name, lambda key, at: items[key].copy.at(at))
                for name in self.truth.targets
            },
        }
        self.store = SimulatedStore(self)
        self.settings = DeliverySettings(
            lease=timedelta(seconds=LEASE_SECONDS), rows_a_lease=self.rng.choice((1, 3, 10))
        )

    # ---- drawing ---------------------------------------------------------------------------

    def _draw_world(self) -> Truth:
        rng = self.rng
        targets = {
            "erp": TargetSystem("erp", honours_keys=True, versions=True),
            "oms": TargetSystem("oms", honours_keys=False, versions=True),
            "old": TargetSystem("old", honours_keys=False, versions=False),
        }
        targets["erp"].forgets_keys = self.faults.hit("key_forgotten")
        items: dict[str, Item] = {}
        for number in range(rng.randint(4, 9)):
            kind, target = rng.choice(KINDS), rng.choice(tuple(targets))
            start = 0 if kind == "create_invoice" else rng.randint(1, 9)
            item = Item(f"{kind[:3]}-{number}", kind, target, Held(start), Held(start))
            items[item.object_id] = item
            targets[target].items[item.object_id] = item
        return Truth(items, targets)

    # ---- seams -----------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """True time in seconds."""
        return self.schedule.now

    def tell(self, who: str, what: str) -> None:
        if self.trail is not None:
            process = self.schedule.current
            name = process.name if process else "-"
            self.trail.append(f"{self.now:10.2f}  {name:14}{who:14}{what}")

    def seam(self, name: str, object_id: str = "") -> None:
        """A step at which a process may die or stop for a while. With ``object_id`` it is the last
        one before a request leaves: there the world likes to move on meanwhile, and clocks to be
        set back."""
        self.schedule.events += 1
        if self.schedule.current is None:
            return
        if self.faults.hit("crash"):
            self.faults.crash_points[name] += 1
            self.tell("KILLED", name)
            raise KilledError
        chances = 10 if object_id else 1
        if not self.store.inside and any(self.faults.hit("pause") for _ in range(chances)):
            self.tell("PAUSED", name)
            self.zombies += 1
            length = LEASE_SECONDS * self.rng.uniform(1.05, 6)
            if object_id and self.rng.random() < 0.8:
                self.schedule.after(1, lambda: self.people.change(self.truth.items[object_id]))
            if object_id and any(self.faults.hit("clock_step") for _ in range(3)):
                self.schedule.after(length / 2, lambda: self._set_clock(-3600))
            self.schedule.wait(length)
            self.tell("goes on", name)

    def between_transactions(self) -> None:
        if self.schedule.current is not None and self.rng.random() < 0.2:
            self.seam("store.transaction")
            self.schedule.wait(self.rng.uniform(0.001, 0.05))

    def moved(self, correction_key: str, event: Event) -> None:
        """A correction was moved by an event of the table, and that is committed."""
        self.tell("moves", f"{correction_key[:12]} {event}")
        if self.schedule.current is not None:
            self.oracle.learnt(self.schedule.current.name, correction_key)
        if event is Event.ACCEPT:
            self.accepted_at.setdefault(correction_key, self.now)

    def disk_is_full(self) -> bool:
        return self.schedule.current is not None and self.faults.hit("store_full")

    def spawn(self, name: str, body: Callable[[], None]) -> Process:
        return self.schedule.spawn(name, body)

    def wait(self, seconds: float) -> None:
        """Time passes for the running process."""
        self.schedule.wait(seconds)

    # ---- processes -------------------------------------------------------------------------

    def dispatcher(self) -> None:
        """One run of the delivery job, if the sensor finds something due."""
        if self.store.due_count(self.clock.now()) == 0 or self.faults.hit("lost_wakeup"):
            return
        if any(p.name.startswith("send") and not p.done for p in self.schedule.processes):
            if not self.faults.hit("second_dispatcher"):
                return
            self.ever_two_dispatchers = True
        elif self.faults.hit("second_dispatcher"):
            self.ever_two_dispatchers = True
            self._spawn_dispatcher()
        self._spawn_dispatcher()

    def _spawn_dispatcher(self) -> None:
        rng = random.Random(self.rng.getrandbits(64))

        def body() -> None:
            deliver_due(
                self.store,
                self.simulated_targets,
                self.simulated_sources,
                self.policy,
                self.clock,
                rng,
                100,
                self.settings,
            )

        self.spawn(f"send{len(self.schedule.processes)}", body)

    def one_pass(self) -> None:
        """One run of the main job."""
        systems = ["hub", *self.truth.targets]
        name = f"build-{self.now:.0f}"
        self.store.open_gates(name, systems)
        for system in systems:
            self.warehouse.extract(system)
        outbox = [c for c in self.corrections() if c.state in UNPROVED]
        build = self.warehouse.build(outbox)
        self.schedule.wait(self.rng.uniform(1, 10))
        gates: dict[str, tuple[bool | None, str]] = {}
        for system in systems:
            passed = self.rng.choice((None, False)) if self.faults.hit("gate_failed") else True
            gates[system] = (passed, "as drawn")
        self.store.set_gates(name, gates, not_taken_up=True)
        if build is None:
            return
        if self.faults.hit("old_build"):
            self.schedule.after(
                self.rng.uniform(300, 3000), lambda: self._spawn_refresh(build, name)
            )
            return
        self.refresh(build, name)
        if self.faults.hit("duplicate_proposals"):
            self.refresh(build, name)

    def refresh(self, build: Build, name: str) -> None:
        """What the outbox asset does with a published build."""
        result = apply_proofs(self.store, build.proofs, self.clock)
        self.seam("pass.between_proofs_and_proposals")
        proposals = build.proposals
        if proposals and self.faults.hit("echo"):
            proposals = [*proposals, proposals[0]]
        taken = enqueue(self.store, proposals, self.policy, self.clock, build=name)
        self.tell("build", f"{build.number}: {taken.new} new, {taken.superseded} gone, {result}")
        self.oracle.taken_up(taken)
        if taken.invalid:
            self.oracle.report("broken", f"invalid proposals: {taken.invalid}")

    def _spawn_refresh(self, build: Build, name: str) -> None:
        self.spawn("old-build", lambda: self.refresh(build, name))

    # ---- the story -------------------------------------------------------------------------

    def run(self) -> StoryResult:
        """Safety phase, liveness phase, judgement."""
        with crash_points.observed(self._crash_point):
            self._safety()
            started = self.now
            cycles = self._liveness()
            rested = self.oracle.check_rest(self.corrections())
            if rested:
                for what in rested[:3]:
                    self.oracle.report("lost" if "drifts" in what else "stuck", what)
            self._judge_end()
            self.schedule.end()
        corrections = self.corrections()
        result = StoryResult(
            seed=self.seed,
            events=self.schedule.events + sum(self.oracle.requests.values()),
            simulated_seconds=self.now,
            fired=dict(self.faults.fired),
            crash_points=dict(self.faults.crash_points),
            corrections=len(corrections),
            effects=len(self.truth.effects()),
            verified=sum(1 for c in corrections if c.state is State.VERIFIED),
            requests=sum(self.oracle.requests.values()),
            convergence_seconds=None if rested else self.now - started,
            cycles=cycles,
            violations=self.oracle.violations,
            trail=self.trail or [],
        )
        self.store.close()
        return result

    def _crash_point(self, name: str) -> None:
        self.seam(name)

    def _safety(self) -> None:
        schedule, rng = self.schedule, self.rng
        length = rng.uniform(2, 8) * HOUR
        for _ in range(rng.randint(6, 18)):
            schedule.at(rng.uniform(0, length * 0.9), self.people.business)
        moment = rng.uniform(60, 900)
        while moment < length:
            schedule.at(moment, self._pass_if_idle)
            moment += rng.uniform(600, 2400)
        moment = 0.0
        while moment < length:
            moment += rng.expovariate(1 / 420)
            schedule.at(moment, self.dispatcher)
        moment = 0.0
        while moment < length:
            moment += rng.uniform(400, 2400)
            schedule.at(moment, self.people.look)
            schedule.at(moment + rng.uniform(0, 900), self._disturb)
        schedule.run_until(length)

    def _disturb(self) -> None:
        """Troubles that come from outside at any time."""
        faults, rng = self.faults, self.rng
        items = list(self.truth.items.values())
        if faults.hit("human_edit_before_push"):
            self.people.edit(rng.choice(items))
        if faults.hit("authority_moves"):
            self.people.business()
        if faults.hit("clock_step"):
            self._set_clock(rng.choice((-3600, -600, -5, 5, 600, 3600)))
        if faults.hit("outage"):
            target = rng.choice(list(self.truth.targets.values()))
            target.down_until = self.now + rng.uniform(60, 4000)
            self.tell("outage", target.name)
        if faults.hit("restart"):
            self._restart()
        if faults.hit("kill_switch"):
            self.store.engage_kill_switch("maria", "drill")
            self.oracle.kill_switch.append((self.now, True))
            self.schedule.after(rng.uniform(300, 5000), self._release)

    def _set_clock(self, seconds: float) -> None:
        self.clock.step(seconds)
        self.last_clock_step = self.now
        self.tell("clock", f"is {self.clock.offset:+.0f} s off")

    def _release(self) -> None:
        self.store.release_kill_switch("maria", "drill is over")
        self.oracle.kill_switch.append((self.now, False))

    def _restart(self) -> None:
        """Nothing of the engine but the store survives."""
        for process in self.schedule.processes:
            if not process.done:
                process.doomed = True
                process.resume()

    def _pass_if_idle(self) -> None:
        if any(p.name == "pass" and not p.done for p in self.schedule.processes):
            return
        self.spawn("pass", self.one_pass)

    def _liveness(self) -> int:
        """Passes and deliveries without faults until there is rest; returns how many passes."""
        self.faults.on = False
        for target in self.truth.targets.values():
            target.closed_until.clear()
            target.down_until = 0.0
        if self.store.kill_switch_reason() is not None:
            self._release()
        for cycle in range(1, MOST_CYCLES + 1):
            self._judge_processes()
            self.people.settle()
            gap = 600.0 if cycle < 20 else 3700.0
            self.schedule.after(0, self._pass_if_idle)
            for part in range(1, 4):
                self.schedule.after(gap * part / 4, self.dispatcher)
            self.schedule.run_until(self.now + gap)
            corrections = self.corrections()
            self.oracle.check_verified(corrections)
            if not self.oracle.check_rest(corrections) and not any(
                not p.done for p in self.schedule.processes
            ):
                return cycle
        return MOST_CYCLES

    def _judge_processes(self) -> None:
        for process in self.schedule.processes:
            error, process.error = process.error, None
            if error is not None and not isinstance(getattr(error, "orig", None), DiskFullError):
                self.oracle.report("broken", f"{process.name}: {type(error).__name__}: {error}")

    def _judge_end(self) -> None:
        self._judge_processes()
        audit = self.store.verify_audit()
        if audit.problem is not None:
            self.oracle.report("broken", f"the audit log breaks at {audit.problem}")
        self.oracle.check_effects()
        self.oracle.check_verified(self.corrections())

    def corrections(self) -> list[Correction]:
        """All of the outbox, in the order in which it was proposed."""
        return list(reversed(self.store.list(limit=10_000)))


def run_story(seed: int, keep_trail: bool = False) -> StoryResult:
    """Run one seed; the same seed gives the same story, event by event."""
    return Story(seed, keep_trail).run()
