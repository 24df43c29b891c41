"""One seed: make its world, run passes until nothing is sent any more, judge it."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from pathlib import Path
from time import process_time
from typing import Any, TypeVar

import duckdb

from ingestion.landing import refresh_views
from ingestion.warehouse import warehouse
from orchestration.compiled import Statement, compile_models, keep, kept
from orchestration.corrections import deliver
from orchestration.direct import run_direct_pass
from orchestration.evaluation.in_process import (
    PretendWorld,
    SenderDiedError,
    configuration,
    world_in_process,
)
from orchestration.evaluation.judging import (
    BREAKER_OPENED,
    SENDER_DIED,
    Evidence,
    Key,
    Sent,
    Sighting,
    entities_of,
    judge,
)
from orchestration.evaluation.totals import grouping
from orchestration.installation import Installation
from orchestration.passes import PassReport, at_rest, calm_garbage_collection
from orchestration.pretend import SandboxError, refusals_told
from orchestration.whole_runs import RestlessError, proof_delay
from registry.errors import TallymanError
from reporting.publish import published_connection
from sandbox.decoys import DECOYS
from sandbox.faults import FAULTS
from sandbox.faults.kind import DISTURBED_HOURS, Kind
from sandbox.settings import Settings as World
from sandbox.world import KINDS
from sandbox.worldfile import read_world
from writeback.approval import approve
from writeback.propose import HOLD_APPROVAL, HOLD_BRAKE
from writeback.states import State

T = TypeVar("T")

MAXIMUM_PASSES = 12
DELIVERIES_BETWEEN = 8
WAIT_SECONDS = 75.0
"""Longer than a breaker stays open."""
SOON_SECONDS = 62.0
"""Longer than any system that is asked takes to show what it was told."""
LATE_ONLY = ("C5", "T6")
"""Kinds whose exception is about a whole feed: in the history they would explain what is said
falsely about decoys of that feed, so there they are left out, and come late."""
APPROVER = "evaluation"
TEMPLATE = "template"
SYSTEMS_WRITTEN_TO = ("oms", "erp", "wms")


@dataclass(frozen=True)
class WorldChoices:
    """Which world. ``faults`` and ``decoys``: how many of each kind the history holds; decoys are
    of fewer kinds, and shall be at least as many (sandbox/worlds/full.toml). ``late``:
    one more of each kind that carries its own dates follows while the loop runs. ``world``: the
    world file that gives the processes and trading partners."""

    orders: int
    faults: int = 3
    decoys: int = 6
    late: bool = True
    world: str = "full"

    def settings(self, seed: int) -> World:
        """The world of a seed. Raises SandboxError when there is no such world file."""
        with refusals_told():
            world = read_world(self.world)
            return replace(
                world,
                mix={**world.mix, **(dict.fromkeys(LATE_ONLY, 0) if self.late else {})},
                seed=seed,
                orders=self.orders,
                faults_per_kind=self.faults,
                decoys_per_kind=self.decoys,
            )


def make_template(folder: Path, choices: WorldChoices) -> None:
    """An empty warehouse with every view and seed, for all worlds to begin with: making them costs
    a third of a first pass."""
    folder.mkdir(parents=True, exist_ok=True)
    installation = Installation.load(configuration(folder, choices.settings(seed=0)))
    with warehouse(installation.settings) as connection:
        refresh_views(connection, installation.registry)
    keep(compile_models(installation.settings), folder / "models.json")


def run_world(seed: int, choices: WorldChoices, home: Path, template: Path) -> dict[str, Any]:
    """What became of one world, as plain values. Leaves its state in ``home``.

    Raises TallymanError, RestlessError when it still sends after MAXIMUM_PASSES passes.
    """
    began = process_time()
    calm_garbage_collection()
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(template / "warehouse.duckdb", home / "warehouse.duckdb")
    with world_in_process(home, choices.settings(seed)) as world:
        run = _Run(world, kept(template / "models.json"))
        try:
            run.until_at_rest(choices.late)
            judgement = judge(run.evidence())
        finally:
            run.installation.store.close()
    return {
        "seed": seed,
        "kinds": {kind: counts.as_json() for kind, counts in judgement.kinds.items()},
        "remarks": judgement.remarks,
        "grouping": grouping(judgement.grouping),
        "left_out": run.left_out,
        "passes": len(run.passes),
        "passes_to_rest": run.passes_to_rest,
        "sent": sum(report.sent for report in run.passes),
        "cpu_seconds": round(process_time() - began, 2),
    }


@dataclass(frozen=True)
class WorldWork:
    """``run_world`` below ``folder``, for a process of its own. ``keep`` leaves the state of a
    world that is not perfect."""

    choices: WorldChoices
    folder: Path
    keep: bool

    def __call__(self, seed: int) -> dict[str, Any]:
        # Many worlds side by side: a second thread in each would only wait for the others.
        os.environ["TALLYMAN_THREADS"] = "1"
        home = self.folder / f"seed-{seed}"
        shutil.rmtree(home, ignore_errors=True)
        result = run_world(seed, self.choices, home, self.folder / TEMPLATE)
        if not (self.keep and result["remarks"]):
            shutil.rmtree(home)
        return result


class _Run:
    """The passes over one world."""

    def __init__(self, world: PretendWorld, models: list[Statement]) -> None:
        self.world = world
        self.models = models
        self.installation = world.installed()
        self.passes: list[PassReport] = []
        self._names = count(1)
        self.passes_with_faults = 0
        self.began_at = world.clock.now()
        self.moments: list[tuple[datetime, datetime]] = []
        self.left_out: list[str] = []
        self._sightings: dict[str, Sighting] = {}
        self._happened: set[str] = set()
        self._open: frozenset[Key] = frozenset()

    def until_at_rest(self, late: bool) -> None:
        """A pass over the history and then more faults, if ``late``; then passes until nothing is
        sent and every fault has fallen due; at last, if ``late``, what disturbs whole feeds."""
        if late:
            self._pass()
            self._inject(
                lambda kind: (
                    kind.whole_feed is None
                    and (kind.name in LATE_ONLY or not (kind.undated and kind.mixed))
                )
            )
            # Some lasts for minutes only, and must be seen.
            self._pass(after=SOON_SECONDS)
            self.passes_with_faults = len(self.passes)
            # What has only begun falls due while the rest is put right.
            self.world.skip(self._seconds_until_all_is_due())
        self._settle()
        if late:
            self._disturb_feeds()

    def _settle(self) -> None:
        while True:
            report = self._pass()
            if at_rest(self.installation, report):
                wait = self._seconds_until_all_is_due()
                if not wait:
                    return
                self.world.skip(wait)
                self.passes_with_faults = len(self.passes)
            if len(self.passes) >= MAXIMUM_PASSES:
                raise RestlessError(f"still sends after {MAXIMUM_PASSES} passes")

    def _deliver_what_waits(self) -> None:
        """Deliveries go on between passes: what waits for its next attempt, or for a breaker."""
        before = self.installation.store.attempt_counts().sent
        for _ in range(DELIVERIES_BETWEEN):
            counts = self.installation.store.counts_by_state()
            if not any(counts.get(state) for state in ("ready", "sending", "unknown")):
                break
            self.world.skip(WAIT_SECONDS)
            self._survived(lambda: deliver(self.installation))
            self._look_at_breakers()
        sent = self.passes[-1].sent + self.installation.store.attempt_counts().sent - before
        self.passes[-1] = replace(self.passes[-1], sent=sent)

    def _disturb_feeds(self) -> None:
        """What disturbs a whole feed; of those that would disturb the same, the seed draws. A pass
        in their midst, one when all have fallen due, one when they are over."""
        self._inject(_one_a_feed(self.world.rng).__contains__)
        self._pass(may_fail=True)
        self.world.skip(self._seconds_until_all_is_due())
        self._pass(may_fail=True)
        self.world.skip(DISTURBED_HOURS * 3600)
        self._pass()

    @property
    def passes_to_rest(self) -> int:
        """After how many passes since the faults stopped nothing was sent any more."""
        after = self.passes[self.passes_with_faults :]
        return max((number for number, one in enumerate(after, start=1) if one.sent), default=0)

    def evidence(self) -> Evidence:
        """What there is to judge."""
        truth = self.world.truth()
        return Evidence(
            truth=truth,
            ledger=self.world.ledger(),
            sightings=tuple(self._sightings.values()),
            sent=tuple(
                Sent(
                    one.idempotency_key,
                    one.target_system,
                    one.kind,
                    one.payload,
                    str(one.state),
                    one.accepted_at,
                )
                for one in self.installation.all_corrections()
            ),
            began_at=self.began_at,
            open_at_end=self._open,
            passes=tuple(self.moments),
            documents=self.world.documents(
                {pair for row in truth for pair in entities_of(row["expected_after_state"] or {})}
            ),
            happened=frozenset({*self._happened, *self.world.behaved()}),
        )

    def _pass(self, may_fail: bool = False, after: float | None = None) -> PassReport:
        """One pass; ``after`` so many seconds, or when it can prove what was sent before it."""
        if self.passes:
            self.world.skip(proof_delay(self.installation) if after is None else after)
        began = self.world.clock.now()
        report = self._survived(
            lambda: run_direct_pass(self.installation, f"pass-{next(self._names)}", self.models)
        )
        if report.failed_feeds and not may_fail:
            raise TallymanError(f"not read to the end: {'; '.join(report.failed_feeds)}")
        self.passes.append(report)
        self.moments.append((began, self.world.clock.now()))
        self._look()
        self._look_at_breakers()
        self._approve()
        self._deliver_what_waits()
        return self.passes[-1]

    def _survived(self, work: Callable[[], T]) -> T:
        """What some work gives; where its process dies in its midst, the next one does it."""
        while True:
            try:
                return work()
            except SenderDiedError:
                self._happened.add(SENDER_DIED)
                self.installation.store.close()
                self.installation = self.world.installed()

    def _look(self) -> None:
        _, ended = self.moments[-1]
        with published_connection(self.installation.settings) as connection:
            is_open = still_open(connection)
            for one in sightings(connection, ended):
                known = self._sightings.setdefault(one.exception, one)
                if known is not one and one.exception in is_open:
                    self._sightings[one.exception] = replace(known, seen=(*known.seen, ended))
            self._open = frozenset(is_open.values())

    def _look_at_breakers(self) -> None:
        now = self.world.clock.now()
        for system in SYSTEMS_WRITTEN_TO:
            _, open_until = self.installation.store.breaker(system)
            if open_until is not None and open_until > now:
                self._happened.add(BREAKER_OPENED)

    def _approve(self) -> None:
        """The most careless person there can be: whatever waits for a yes gets it, so that every
        wrong proposal becomes a wrong correction. Contradictions stay open."""
        store = self.installation.store
        for one in self.installation.all_corrections():
            waits = one.state is State.AWAITING_APPROVAL
            if waits and set(one.hold_codes) <= {HOLD_APPROVAL, HOLD_BRAKE}:
                approve(store, one.correction_key, APPROVER, "approves everything")

    def _inject(self, wanted: Callable[[Kind], bool]) -> None:
        for name, kind in KINDS.items():
            if wanted(kind):
                try:
                    self.world.inject(name, 1)
                except SandboxError:
                    # A small world has no free item or place left for it.
                    self.left_out.append(name)

    def _seconds_until_all_is_due(self) -> float:
        due = [
            datetime.fromisoformat(row["expected_by"])
            for row in self.world.truth()
            if row["detectable"]
        ]
        wait = (max(due) - self.began_at).total_seconds() if due else 0.0
        return max(0.0, wait - (self.world.clock.now() - self.began_at).total_seconds())


def _one_a_feed(rng: random.Random) -> list[Kind]:
    """What disturbs a whole feed, drawn so that no fault meets another on its feed; one of a whole
    system meets none of its feeds. Decoys last for minutes only."""
    drawn = [kind for kind in DECOYS if kind.whole_feed]
    for kind in rng.sample(FAULTS, len(FAULTS)):
        if kind.whole_feed and not any(_meet(kind, other) for other in drawn):
            drawn.append(kind)
    return drawn


def _meet(one: Kind, other: Kind) -> bool:
    """Whether two faults disturb the same."""
    feeds = (one.whole_feed or "", other.whole_feed or "")
    systems = {feed.split(".")[0] for feed in feeds}
    is_whole_system = len(systems) == 1 and not all("." in feed for feed in feeds)
    return other in FAULTS and (feeds[0] == feeds[1] or is_whole_system)


def sightings(connection: duckdb.DuckDBPyConnection, seen_at: datetime) -> list[Sighting]:
    """The exceptions of the published build that are or were open."""
    rows = connection.execute(
        "select exception_id, rule_id, object_id, "
        "list_filter([order_id, order_line_id, document], x -> x is not null), incident_id "
        "from marts.exceptions inner join marts.exception_incidents using (exception_id)"
    ).fetchall()
    return [
        Sighting(exception, rule, name, (seen_at,), incident, frozenset(about))
        for exception, rule, name, about, incident in rows
    ]


def still_open(connection: duckdb.DuckDBPyConnection) -> dict[str, Key]:
    """Rule and object, by their names, of the exceptions that the published build has open."""
    rows = connection.execute(
        "select exception_id, rule_id, object_id from marts.exceptions where status = 'open'"
    ).fetchall()
    return {exception: (rule, name) for exception, rule, name in rows}
