"""Read-only questions about the outbox: what is due, how many, which, and everything about one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from writeback import tables as t
from writeback.brakes import Conditions
from writeback.database import UnknownCorrectionError
from writeback.model import Attempt, Correction, CorrectionDetail, DecisionRecord
from writeback.outbox import Outbox, as_correction, as_decision, first_of_its_object, is_one_of
from writeback.states import State, state_named


@dataclass(frozen=True)
class AttemptCounts:
    """``sent``: requests handed to targets; ``accepted``: corrections that a target accepted."""

    sent: int
    accepted: int


@dataclass(frozen=True)
class Overdue:
    """Corrections to one target that nothing holds and that no delivery takes up. ``failures``: of
    requests to the target, in a row."""

    target_system: str
    corrections: int
    since: datetime
    failures: int


def _due() -> sa.Select[Any]:
    """What is due by its own time, counted by what may hold it, and since when it is."""
    c, now = t.corrections.c, sa.bindparam("now", type_=t.UtcDateTime())
    waiting = sa.and_(
        is_one_of(c.state, (State.READY, State.UNKNOWN)),
        c.next_attempt_at <= now,
        sa.or_(c.lease_until.is_(None), c.lease_until <= now),
        first_of_its_object(),
    )
    abandoned = sa.and_(c.state == State.SENDING.value, c.lease_until <= now)
    kinds = (c.state, c.target_system, c.relied_on_systems, c.state_reason)
    due_at = sa.case((abandoned, c.lease_until), else_=c.next_attempt_at)
    told = (sa.func.count().label("corrections"), sa.func.min(due_at).label("since"))
    return sa.select(*kinds, *told).group_by(*kinds).where(sa.or_(waiting, abandoned))


# Built once: a sensor asks it every few seconds.
_DUE = _due()


def _is_taken(due: sa.Row[Any], conditions: Conditions, now: datetime) -> bool:
    """Whether a delivery would do anything about these, by the conditions that its lease obeys."""
    if due.state == State.SENDING:
        return True  # abandoned: whoever delivers notes that, whatever is stopped
    if conditions.stopped is not None:
        return False
    _, open_until = conditions.breakers[due.target_system]
    if open_until is not None and now < open_until:
        return False
    if due.state == State.UNKNOWN:
        return True  # what may have been sent is read, whatever holds the sending
    if due.target_system in conditions.paused or due.target_system in conditions.closed:
        return False
    closed = [
        conditions.closed[name] for name in due.relied_on_systems if name in conditions.closed
    ]
    # A delivery writes down once what it waits for, and puts it off by a minute ever after.
    return not closed or due.state_reason != closed[0].hold_reason


@cache
def _listing(asked: frozenset[str], is_limited: bool) -> sa.Select[Any]:
    """Corrections, the newest first, by the columns that are asked for."""
    c = t.corrections.c
    statement = sa.select(t.corrections).order_by(c.sequence.desc())
    for name in sorted(asked - {"updated_since"}):
        statement = statement.where(c[name] == sa.bindparam(name))
    if "updated_since" in asked:
        since = sa.bindparam("updated_since", type_=t.UtcDateTime())
        statement = statement.where(c.updated_at >= since)
    at_most, first = (sa.bindparam(name, type_=sa.Integer()) for name in ("at_most", "first"))
    return (statement.limit(at_most) if is_limited else statement).offset(first)


class Questions(Outbox):
    """What the command line, sensors and reports ask."""

    def due_count(self, now: datetime, systems: Iterable[str] | None = None) -> int:
        """How many corrections wait for nothing but a dispatcher and what may hold it; ``systems``
        limits it to those that may send. An abandoned lease counts."""
        return sum(row.corrections for row in self._due_by_what_may_hold_it(now, systems))

    def waking_count(self, now: datetime, systems: Iterable[str] | None = None) -> int:
        """How many of them a delivery would do anything about now: what the kill switch, a pause, a
        gate or a breaker holds is no reason to start one each minute."""
        due = self._due_by_what_may_hold_it(now, systems)
        if not due:
            return 0
        conditions = self._conditions_of(due)
        return sum(row.corrections for row in due if _is_taken(row, conditions, now))

    def overdue(self, before: datetime, now: datetime, systems: Iterable[str]) -> list[Overdue]:
        """By target, what was due at ``before`` and holds for nothing but a delivery now. A breaker
        is no excuse: it lets one through each minute."""
        due = self._due_by_what_may_hold_it(before, systems)
        known = self._conditions_of(due)
        failures = {name: count for name, (count, _) in known.breakers.items()}
        conditions = replace(known, breakers=dict.fromkeys(known.breakers, (0, None)))
        left: dict[str, list[sa.Row[Any]]] = {}
        for row in due:
            if _is_taken(row, conditions, now):
                left.setdefault(row.target_system, []).append(row)
        return [
            Overdue(
                name, sum(r.corrections for r in rows), min(r.since for r in rows), failures[name]
            )
            for name, rows in sorted(left.items())
        ]

    def unsettled(self, state: State, before: datetime, target_system: str) -> Sequence[Correction]:
        """Corrections that a target took, or may have, before a time, and of which nobody knows yet
        what became; the longest waiting first. ``state``: accepted, or unknown."""
        c = t.corrections.c
        last_sent = (
            sa.select(sa.func.max(t.attempts.c.started_at))
            .where(t.attempts.c.correction_key == c.correction_key, t.attempts.c.phase == "send")
            .correlate(t.corrections)
            .scalar_subquery()
        )
        since = c.accepted_at if state is State.ACCEPTED else last_sent
        statement = (
            sa.select(t.corrections)
            .where(c.state == state.value, c.target_system == target_system, since < before)
            .order_by(since, c.sequence)
        )
        with self.read() as connection:
            return [as_correction(row) for row in connection.execute(statement)]

    def _conditions_of(self, due: Sequence[sa.Row[Any]]) -> Conditions:
        """Of all systems that may hold what is due."""
        return self.conditions(
            name for row in due for name in (row.target_system, *row.relied_on_systems)
        )

    def _due_by_what_may_hold_it(
        self, now: datetime, systems: Iterable[str] | None
    ) -> Sequence[sa.Row[Any]]:
        statement = _DUE
        if systems is not None:
            statement = statement.where(t.corrections.c.target_system.in_(sorted(systems)))
        with self.read() as connection:
            return connection.execute(statement, {"now": now}).all()

    def counts_by_state(self) -> dict[str, int]:
        """State -> number of corrections; every state is named, also with 0."""
        counts = {state.value: 0 for state in State}
        with self.read() as connection:
            rows = connection.execute(
                sa.select(t.corrections.c.state, sa.func.count()).group_by(t.corrections.c.state)
            )
            counts.update({row[0]: row[1] for row in rows})
        return counts

    def count(self, state: str | None = None) -> int:
        """How many corrections are in a state, or at all. Raises ConfigurationError for an unknown
        state."""
        counts = self.counts_by_state()
        return sum(counts.values()) if state is None else counts[state_named(state).value]

    def due_fingerprint(self, now: datetime, systems: Iterable[str] | None = None) -> str | None:
        """None when nothing wakes (see ``waking_count``), else a text for the run key of a wake-up.

        It changes with every attempt and every minute, so that a run that died before its first
        attempt does not block its successors, and a tick that comes twice starts one run.
        """
        due = self.waking_count(now, systems)
        if due == 0:
            return None
        with self.read() as connection:
            last = connection.execute(sa.select(sa.func.max(t.attempts.c.attempt_id))).scalar()
        return f"due-{due}-attempt-{last or 0}-{now:%Y%m%dT%H%M}"

    def awaiting_proof(self) -> int:
        """How many accepted corrections wait for an extraction to prove them."""
        return self.counts_by_state()[State.ACCEPTED.value]

    def attempt_counts(self) -> AttemptCounts:
        """Totals since the store exists."""
        with self.read() as connection:
            sent = connection.execute(
                sa.select(sa.func.count())
                .select_from(t.attempts)
                .where(t.attempts.c.phase == "send")
            ).scalar_one()
            accepted = connection.execute(
                sa.select(sa.func.count())
                .select_from(t.corrections)
                .where(t.corrections.c.accepted_at.is_not(None))
            ).scalar_one()
        return AttemptCounts(sent=sent, accepted=accepted)

    def list(
        self,
        state: str | None = None,
        object_id: str | None = None,
        target_system: str | None = None,
        updated_since: datetime | None = None,
        limit: int | None = 100,
        offset: int = 0,
    ) -> Sequence[Correction]:
        """Corrections, the newest first; all of them without a limit. Raises ConfigurationError for
        an unknown state."""
        asked = {
            "state": None if state is None else state_named(state).value,
            "object_id": object_id,
            "target_system": target_system,
            "updated_since": updated_since,
        }
        bound = {name: value for name, value in asked.items() if value is not None}
        statement = _listing(frozenset(bound), limit is not None)
        with self.read() as connection:
            rows = connection.execute(statement, {**bound, "at_most": limit, "first": offset})
            return [as_correction(row) for row in rows]

    def resolve_key(self, shortened: str) -> str:
        """The one correction key that begins with this text, or is it.

        Raises UnknownCorrectionError when none or several do.
        """
        key = t.corrections.c.correction_key
        with self.read() as connection:
            # A whole key is found by its index; what begins with a text is looked for in all.
            if connection.execute(sa.select(key).where(key == shortened)).first() is not None:
                return shortened
            rows = connection.execute(
                sa.select(key).where(key.startswith(shortened, autoescape=True)).limit(20)
            )
            found = [row[0] for row in rows]
        if len(found) == 1:
            return found[0]
        if not found:
            raise UnknownCorrectionError(
                f"no correction '{shortened}': `tallyman corrections list` shows the keys"
            )
        raise UnknownCorrectionError(
            f"several corrections begin with '{shortened}': {', '.join(sorted(found))}"
        )

    def approvers(self, correction: Correction, since: datetime) -> set[str]:
        """Who agreed to exactly this content since then."""
        d = t.decisions.c
        statement = (
            sa.select(d.actor)
            .where(d.correction_key == correction.correction_key)
            .where(d.decision == "approved", d.decided_at > since)
            .where(d.payload_hash == correction.payload_hash)
        )
        with self.read() as connection:
            return {row[0] for row in connection.execute(statement)}

    def decisions_since(
        self, decided_since: datetime | None = None, limit: int = 1000, offset: int = 0
    ) -> Sequence[DecisionRecord]:
        """Decisions in the order in which they were taken."""
        statement = sa.select(t.decisions).order_by(t.decisions.c.sequence)
        if decided_since is not None:
            statement = statement.where(t.decisions.c.decided_at >= decided_since)
        with self.read() as connection:
            return [
                as_decision(r) for r in connection.execute(statement.limit(limit).offset(offset))
            ]

    def get(self, correction_key: str) -> CorrectionDetail:
        """A correction with its attempts and decisions; the key may be shortened.

        Raises UnknownCorrectionError.
        """
        correction_key = self.resolve_key(correction_key)
        with self.read() as connection:
            correction = self.one(connection, correction_key)
            attempts = connection.execute(
                sa.select(t.attempts)
                .where(t.attempts.c.correction_key == correction_key)
                .order_by(t.attempts.c.attempt_id)
            )
            decisions = connection.execute(
                sa.select(t.decisions)
                .where(t.decisions.c.correction_key == correction_key)
                .order_by(t.decisions.c.sequence)
            )
            return CorrectionDetail(
                correction,
                tuple(Attempt(**row._mapping) for row in attempts),
                tuple(as_decision(row) for row in decisions),
            )
