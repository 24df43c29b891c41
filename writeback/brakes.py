"""What stops corrections: gates of the data, the kill switch, and breakers of targets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry.crash_points import crash_point
from writeback import tables as t
from writeback.audit import Audit

# Built once: building a statement costs more than running it.
_LATEST_GATE = (
    sa.select(t.gates)
    .where(t.gates.c.system == sa.bindparam("of_system"))
    .order_by(t.gates.c.gate_id.desc())
    .limit(1)
)
_LATEST_SWITCH = sa.select(t.kill_switch).order_by(t.kill_switch.c.sequence.desc()).limit(1)
_LATEST_PAUSE = (
    sa.select(t.pauses)
    .where(t.pauses.c.target_system == sa.bindparam("of_system"))
    .order_by(t.pauses.c.sequence.desc())
    .limit(1)
)
_LATEST_PAUSES = sa.select(t.pauses).where(
    t.pauses.c.sequence.in_(
        sa.select(sa.func.max(t.pauses.c.sequence)).group_by(t.pauses.c.target_system)
    )
)
_BREAKERS = sa.select(t.breakers)
_NEWEST_BUILD = sa.select(t.gates.c.build).order_by(t.gates.c.gate_id.desc()).limit(1)
_LAST_OPEN = (
    sa.select(t.gates.c.gate_id)
    .where(t.gates.c.system == sa.bindparam("of_system"), t.gates.c.outcome == "passed")
    .order_by(t.gates.c.gate_id.desc())
    .limit(1)
)
_FIRST_AFTER = (
    sa.select(t.gates.c.recorded_at)
    .where(t.gates.c.system == sa.bindparam("of_system"))
    .where(t.gates.c.gate_id > sa.bindparam("last_open"))
    .order_by(t.gates.c.gate_id)
    .limit(1)
)
_ALL_LATEST_GATES = sa.select(t.gates).where(
    t.gates.c.gate_id.in_(sa.select(sa.func.max(t.gates.c.gate_id)).group_by(t.gates.c.system))
)
_NEW_GATE = sa.insert(t.gates)
_NOT_TAKEN_UP = "its checks passed, and what its build proposes is not taken up yet"


def standing(engaged: bool | None, reason: str | None, actor: str | None) -> str | None:
    """Why the kill switch or a pause holds, by its latest entry; None when it does not."""
    return f"{reason} ({actor})" if engaged else None


@cache
def _latest_gates(systems: int) -> sa.Select[Any]:
    """The latest gates of so many systems, named ``of_0``, ``of_1``, ..., in one statement."""
    of_each = [
        sa.select(sa.func.max(t.gates.c.gate_id))
        .where(t.gates.c.system == sa.bindparam(f"of_{number}"))
        .scalar_subquery()
        for number in range(systems)
    ]
    return sa.select(t.gates).where(t.gates.c.gate_id.in_(of_each))


_BREAKER = sa.select(t.breakers).where(t.breakers.c.system == sa.bindparam("of_system"))
# Nobody takes more in one go. Where more is missing, the clock was set back.
LONGEST_DEBT = timedelta(seconds=60)


@dataclass(frozen=True)
class Gate:
    """The latest gate result of a system. ``outcome``: passed, pending, failed, crashed or
    missing."""

    system: str
    outcome: str
    reason: str
    build: str | None = None

    @property
    def is_open(self) -> bool:
        return self.outcome == "passed"

    @property
    def hold_reason(self) -> str:
        """Why a correction waits, for its ``state_reason``."""
        why = f": {self.reason}" if self.reason else ""
        return f"held: the gate of system '{self.system}' is {self.outcome}{why}"


@dataclass(frozen=True)
class ClosedGate:
    """A gate that is not open now, and since when it has not been."""

    gate: Gate
    since: datetime


@dataclass(frozen=True)
class Conditions:
    """What a dispatcher must know before it takes work, all of one moment.

    ``stopped``: why nothing at all is sent, or None. ``closed``: gates that are not open, by
    system. ``paused``: why a person paused a target, by system. ``breakers``: consecutive failures,
    and until when a target is left alone, by system. ``allowances``: when all that a target allows
    at once may be asked again, by system.
    """

    stopped: str | None
    closed: dict[str, Gate]
    paused: dict[str, str]
    breakers: dict[str, tuple[int, datetime | None]]
    allowances: dict[str, datetime | None]


@dataclass(frozen=True)
class Stop:
    """What a person stopped and has not let go on yet; ``target_system`` None: all sending.
    ``why``: reason and actor in one."""

    target_system: str | None
    actor: str
    reason: str
    since: datetime
    why: str


class Brakes(Audit):
    """Gates are kept per build and system; only the latest of a system counts."""

    def open_gates(self, build: str, systems: Iterable[str]) -> None:
        """Begin a build: until ``set_gates`` reports its checks, these systems count as crashed.

        Call it before anything is loaded for it, so that whatever dies on the way to the checks
        stops corrections instead of leaving the previous build's result in force.
        """
        reason = "a pass is under way, or died, and its checks have not reported yet"
        self.set_gates(build, dict.fromkeys(systems, (None, reason)))

    def set_gates(
        self,
        build: str,
        results: Mapping[str, tuple[bool | None, str]],
        *,
        not_taken_up: bool = False,
    ) -> None:
        """Record gate results: (passed, reason) by system; ``passed=None`` means that the check
        itself crashed. ``not_taken_up``: the outbox holds what another build proposed, so that
        what passed is only ``pending`` until ``open_pending``."""
        now = self.clock.now()
        good = ("pending", _NOT_TAKEN_UP) if not_taken_up else ("passed", "")
        rows = []
        for system, (passed, reason) in results.items():
            outcome, why = {True: good, False: ("failed", ""), None: ("crashed", "")}[passed]
            rows.append(_gate_row(build, system, outcome, why or reason, now))
        if rows:
            with self.write() as connection:
                connection.execute(_NEW_GATE, rows)
                crash_point("writeback.during_gates")
            crash_point("writeback.after_gates")

    def open_pending(self, connection: Connection, build: str) -> list[str]:
        """Let the verdict on a build take effect, in the transaction that takes it up; returns the
        systems whose gates it opened. Where a later pass has begun or judged, that one counts."""
        now = self.clock.now()
        latest = connection.execute(_ALL_LATEST_GATES).all()
        waiting = [row.system for row in latest if (row.build, row.outcome) == (build, "pending")]
        if waiting:
            rows = [_gate_row(build, system, "passed", "", now) for system in waiting]
            connection.execute(_NEW_GATE, rows)
        return waiting

    def gate(self, system: str) -> Gate:
        """The latest result for a system; ``missing`` when there is none."""
        with self.read() as connection:
            return self.latest_gate(connection, system, {})

    def closed_gates(self) -> list[ClosedGate]:
        """The gates of the newest build's systems that let nothing pass now. While a pass is at
        work these are all of them, since it began."""
        with self.read() as connection:
            newest = connection.execute(_NEWEST_BUILD).scalar()
            latest = [_as_gate(row) for row in connection.execute(_ALL_LATEST_GATES)]
            return [
                ClosedGate(gate, self._closed_since(connection, gate.system))
                for gate in sorted(latest, key=lambda gate: gate.system)
                if gate.build == newest and not gate.is_open
            ]

    def _closed_since(self, connection: Connection, system: str) -> datetime:
        asked = {"of_system": system}
        last_open = connection.execute(_LAST_OPEN, asked).scalar()
        since: datetime = connection.execute(
            _FIRST_AFTER, {**asked, "last_open": last_open or 0}
        ).scalar_one()
        return since

    def conditions(self, systems: Iterable[str]) -> Conditions:
        """Kill switch, gates and breakers of these systems, in one look."""
        names = sorted(set(systems))
        with self.read() as connection:
            stopped = {stop.target_system: stop.why for stop in self._stops_in(connection)}
            rows = {row.system: row for row in connection.execute(_BREAKERS)}
            breakers = dict.fromkeys(names, (0, None)) | {
                name: (row.failures, row.open_until) for name, row in rows.items()
            }
            return Conditions(
                stopped.get(None),
                {gate.system: gate for gate in self.closed_in(connection, names)},
                {name: stopped[name] for name in names if name in stopped},
                breakers,
                {name: row.allowance_full_at for name, row in rows.items()},
            )

    def engage_kill_switch(self, actor: str, reason: str) -> None:
        """Stop all sending, in every process, before its next request."""
        self._switch(True, actor, reason)

    def release_kill_switch(self, actor: str, reason: str) -> None:
        self._switch(False, actor, reason)

    def kill_switch_reason(self) -> str | None:
        """Why sending is stopped, or None when it is not."""
        with self.read() as connection:
            return self.kill_reason_in(connection)

    def pause(self, target_system: str, actor: str, reason: str) -> None:
        """Send nothing to one target, in every process, before the next request."""
        self._pause(target_system, True, actor, reason)

    def resume(self, target_system: str, actor: str, reason: str) -> None:
        self._pause(target_system, False, actor, reason)

    def stops(self) -> list[Stop]:
        """The kill switch and the pauses that stand now."""
        with self.read() as connection:
            return self._stops_in(connection)

    def _stops_in(self, connection: Connection) -> list[Stop]:
        switch = connection.execute(_LATEST_SWITCH).one_or_none()
        latest: list[tuple[str | None, sa.Row[Any]]] = [] if switch is None else [(None, switch)]
        latest += [(row.target_system, row) for row in connection.execute(_LATEST_PAUSES)]
        return [
            Stop(name, row.actor, row.reason, row.changed_at, why)
            for name, row in latest
            if (why := standing(row.engaged, row.reason, row.actor)) is not None
        ]

    def _pause(self, target_system: str, engaged: bool, actor: str, reason: str) -> None:
        now = self.clock.now()
        with self.write() as connection:
            connection.execute(
                sa.insert(t.pauses).values(
                    target_system=target_system,
                    engaged=engaged,
                    actor=actor,
                    reason=reason,
                    changed_at=now,
                )
            )
            action = "pause" if engaged else "resume"
            self.log_audit(connection, actor, action, target_system, {"comment": reason}, now)

    def pause_reason_in(self, connection: Connection, system: str) -> str | None:
        """Why a target is paused, or None when it is not."""
        row = connection.execute(_LATEST_PAUSE, {"of_system": system}).one_or_none()
        return None if row is None else standing(row.engaged, row.reason, row.actor)

    def breaker(self, system: str) -> tuple[int, datetime | None]:
        """Consecutive technical failures of a target, and until when it is left alone."""
        with self.read() as connection:
            return self.breaker_in(connection, system)

    def breaker_in(self, connection: Connection, system: str) -> tuple[int, datetime | None]:
        row = connection.execute(_BREAKER, {"of_system": system}).one_or_none()
        return (0, None) if row is None else (row.failures, row.open_until)

    def set_breaker(
        self, connection: Connection, system: str, failures: int, open_until: datetime | None
    ) -> None:
        self._keep(connection, system, {"failures": failures, "open_until": open_until})

    def allowance_in(self, connection: Connection, system: str) -> datetime | None:
        """When all that a target allows at once may be asked again."""
        row = connection.execute(_BREAKER, {"of_system": system}).one_or_none()
        return None if row is None else row.allowance_full_at

    def take_allowance(
        self, connection: Connection, system: str, seconds: float, now: datetime
    ) -> datetime:
        """Note that requests were made that the target allows in so many seconds; returns when all
        that it allows at once may be asked again."""
        known = self.allowance_in(connection, system) or now
        full_at = min(max(known, now), now + LONGEST_DEBT) + timedelta(seconds=seconds)
        self._keep(connection, system, {"allowance_full_at": full_at})
        return full_at

    def _keep(self, connection: Connection, system: str, values: Mapping[str, Any]) -> None:
        changed = connection.execute(
            sa.update(t.breakers).where(t.breakers.c.system == system).values(**values)
        ).rowcount
        if not changed:
            row = {"system": system, "failures": 0, **values}
            connection.execute(sa.insert(t.breakers).values(**row))

    def latest_gate(self, connection: Connection, system: str, known: dict[str, Gate]) -> Gate:
        if system not in known:
            row = connection.execute(_LATEST_GATE, {"of_system": system}).one_or_none()
            known[system] = _missing_gate(system) if row is None else _as_gate(row)
        return known[system]

    def closed_in(self, connection: Connection, systems: Iterable[str]) -> Sequence[Gate]:
        names = sorted(set(systems))
        bound = {f"of_{number}": name for number, name in enumerate(names)}
        rows = connection.execute(_latest_gates(len(names)), bound).all() if names else ()
        known = {row.system: _as_gate(row) for row in rows}
        gates = [known.get(name) or _missing_gate(name) for name in names]
        return [gate for gate in gates if not gate.is_open]

    def _switch(self, engaged: bool, actor: str, reason: str) -> None:
        now = self.clock.now()
        with self.write() as connection:
            connection.execute(
                sa.insert(t.kill_switch).values(
                    engaged=engaged, actor=actor, reason=reason, changed_at=now
                )
            )
            action = "stop_all" if engaged else "go_on"
            self.log_audit(connection, actor, action, "*", {"comment": reason}, now)

    def kill_reason_in(self, connection: Connection) -> str | None:
        row = connection.execute(_LATEST_SWITCH).one_or_none()
        return None if row is None else standing(row.engaged, row.reason, row.actor)


def _gate_row(build: str, system: str, outcome: str, reason: str, now: datetime) -> dict[str, Any]:
    return {
        "build": build,
        "system": system,
        "outcome": outcome,
        "reason": reason,
        "recorded_at": now,
    }


def _as_gate(row: sa.Row[Any]) -> Gate:
    return Gate(row.system, row.outcome, row.reason, row.build)


def _missing_gate(system: str) -> Gate:
    return Gate(system, "missing", "no gate has been recorded")
