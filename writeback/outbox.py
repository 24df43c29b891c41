"""The outbox: rows of corrections, their guarded transitions, leases and append-only histories.

Methods that take a connection are steps of a caller's transaction; the others are transactions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry.crash_points import crash_point
from writeback import tables as t
from writeback.brakes import Brakes, Gate, standing
from writeback.database import LeaseLostError, UnknownCorrectionError, chunks
from writeback.kinds import contradicting
from writeback.model import Correction, DecisionRecord
from writeback.states import (
    IN_FLIGHT,
    UNSENT,
    Event,
    IllegalTransitionError,
    State,
    destination,
    sources,
)

# A correction that relies on a system whose gate is closed is looked at again after this long.
GATE_HOLD = timedelta(seconds=60)
RESPONSE_LIMIT = 4000  # characters of a target's answer kept with an attempt
RETRIED = "retried"  # the decision about the one that was tried again as its next generation
UNDO_REQUESTED = "undo_requested"  # the decision of a person who wants a correction taken back


@dataclass(frozen=True)
class AttemptEntry:
    """What to log about one attempt."""

    phase: str
    result: str
    code: str
    started_at: datetime
    ended_at: datetime
    message: str = ""
    response: str = ""


class Outbox(Brakes):
    """Every statement that changes a correction. No decision is taken here."""

    def insert(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add corrections; the keys of a row are columns."""
        if rows:
            connection.execute(sa.insert(t.corrections), list(rows))

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
        """Move one correction by an event of the table, in one guarded UPDATE.

        With ``lease_token`` the move happens only while that lease is held. Every move ends the
        lease. Raises IllegalTransitionError, LeaseLostError or UnknownCorrectionError, and then
        nothing has changed.
        """
        values["updated_at"] = now
        statement = _move(
            event,
            None if only_from is None else frozenset(only_from),
            lease_token is not None,
            tuple(sorted(values)),
        )
        bound = {f"new_{name}": value for name, value in values.items()}
        bound |= {"of_key": correction_key, "of_token": lease_token}
        if connection.execute(statement, bound).rowcount:
            return
        present = self.one(connection, correction_key)
        if lease_token is not None and present.lease_token != lease_token:
            raise LeaseLostError(
                f"correction {correction_key} was taken over by another dispatcher after the lease "
                "ran out; its outcome is resolved by reading the target"
            )
        raise IllegalTransitionError(present.state, event, f"correction {correction_key}")

    def update_unsent(
        self, connection: Connection, correction_key: str, now: datetime, **values: Any
    ) -> bool:
        """Change columns of a correction that nobody is sending; False when that is too late."""
        return bool(
            connection.execute(
                sa.update(t.corrections)
                .where(t.corrections.c.correction_key == correction_key)
                .where(t.corrections.c.state.in_([state.value for state in UNSENT]))
                .values(updated_at=now, **values)
            ).rowcount
        )

    def mark_withdrawn(
        self, connection: Connection, correction_keys: Sequence[str], now: datetime
    ) -> None:
        """Note that the drift of these is gone, without moving them."""
        for chunk in chunks(correction_keys):
            connection.execute(
                sa.update(t.corrections)
                .where(t.corrections.c.correction_key.in_(chunk))
                .values(withdrawn_at=now)
            )

    def log_attempt(
        self, connection: Connection, correction: Correction, number: int, entry: AttemptEntry
    ) -> None:
        connection.execute(
            _NEW_ATTEMPT,
            {
                "correction_key": correction.correction_key,
                "attempt": number,
                "phase": entry.phase,
                "result": entry.result,
                "code": entry.code,
                "message": entry.message[:RESPONSE_LIMIT],
                "response": entry.response[:RESPONSE_LIMIT],
                "idempotency_key": correction.idempotency_key,
                "payload_hash": correction.payload_hash,
                "started_at": entry.started_at,
                "ended_at": entry.ended_at,
            },
        )

    def log_decision(
        self,
        connection: Connection,
        correction_key: str,
        actor: str,
        decision: str,
        comment: str,
        now: datetime,
        payload_hash: str | None = None,
    ) -> None:
        count = connection.execute(
            sa.select(sa.func.count())
            .select_from(t.decisions)
            .where(t.decisions.c.correction_key == correction_key)
        ).scalar_one()
        decision_id = f"{correction_key}-d{count + 1}"
        detail = {"comment": comment, "decision_id": decision_id, "payload_hash": payload_hash}
        self.log_audit(connection, actor, decision, correction_key, detail, now)
        connection.execute(
            sa.insert(t.decisions).values(
                decision_id=decision_id,
                correction_key=correction_key,
                actor=actor,
                decision=decision,
                comment=comment,
                payload_hash=payload_hash,
                decided_at=now,
            )
        )

    def lease(
        self,
        send_limits: Mapping[str, int],
        resolve_systems: Iterable[str],
        now: datetime,
        lease_until: datetime,
        token: str,
        limit: int,
    ) -> Sequence[Correction]:
        """Take up to ``limit`` due corrections: unknown ones to be read, ready ones to be sent.

        ``send_limits``: system -> how many ready ones may be taken now. Systems with a closed gate
        send nothing; a ready correction that relies on one is put off by GATE_HOLD with the reason.
        Ready ones come back as ``sending``; unknown ones stay unknown. An object with a correction
        in flight yields nothing, and of several ready ones only the first of its target; of those
        for several targets one is taken.
        """

        def take(connection: Connection) -> Sequence[Correction]:
            taken: list[Correction] = []
            gates: dict[str, Gate] = {}
            for system in resolve_systems:
                if len(taken) >= limit:
                    break
                taken += self._due(connection, system, State.UNKNOWN, now, limit - len(taken))
            unknown_keys = {correction.correction_key for correction in taken}
            for system, system_limit in send_limits.items():
                room = min(limit - len(taken), system_limit)
                if room <= 0 or not self.latest_gate(connection, system, gates).is_open:
                    continue
                objects = {correction.object_id for correction in taken}
                taken += self._ready_with_open_gates(connection, system, now, room, gates, objects)
            leased: list[Correction] = []
            for correction in taken:
                change: dict[str, Any] = {"lease_token": token, "lease_until": lease_until}
                if correction.correction_key not in unknown_keys:
                    change |= {"state": destination(Event.LEASE), "updated_at": now}
                leased.append(replace(correction, **change))
            if leased:
                connection.execute(
                    _TAKE,
                    [
                        {
                            "of_key": c.correction_key,
                            "new_state": c.state.value,
                            "new_token": c.lease_token,
                            "new_until": c.lease_until,
                            "new_updated_at": c.updated_at,
                        }
                        for c in leased
                    ],
                )
            crash_point("writeback.during_lease")
            return leased

        return self.write_together(take)

    def expire_leases(self, now: datetime, wait: timedelta) -> Sequence[str]:
        """Turn corrections whose dispatcher is gone into unknown ones: they may have been sent, and
        as late as the lease ended. They are not read before ``wait`` after that: the request may be
        on its way."""
        with self.read() as connection:
            keys = self._expired(connection, now)
        if not keys:
            return []
        with self.write() as connection:
            expired = []
            for key in self._expired(connection, now):
                correction = self.one(connection, key)
                assert correction.lease_until is not None
                self.transition(
                    connection,
                    key,
                    Event.LOSE,
                    now,
                    state_reason="the dispatcher stopped while it had this one: read, then decide",
                    next_attempt_at=correction.lease_until + wait,
                    possibly_sent=True,
                    attempts=correction.attempts + 1,
                )
                entry = AttemptEntry("lease", "unknown", "lease_expired", now, now)
                self.log_attempt(connection, correction, correction.attempts + 1, entry)
                expired.append(key)
            crash_point("writeback.during_expiry")
            return expired

    def may_still_send(self, correction: Correction, now: datetime) -> str | None:
        """The last look before a request leaves: None, or the reason why it must not."""
        with self.read() as connection:
            present = connection.execute(
                _LAST_LOOK, {"of_key": correction.correction_key}
            ).one_or_none()
            closed = self.closed_in(
                connection, {correction.target_system, *correction.relied_on_systems}
            )
        if (
            present is None
            or present.lease_token != correction.lease_token
            or present.state != State.SENDING.value
        ):
            raise LeaseLostError(f"correction {correction.correction_key} is no longer ours")
        stopped = standing(present.stopped, present.stop_reason, present.stop_actor)
        if stopped is not None:
            return f"held: kill switch: {stopped}"
        paused = standing(present.paused, present.pause_reason, present.pause_actor)
        if paused is not None:
            return f"held: '{correction.target_system}' is paused: {paused}"
        if closed:
            return closed[0].hold_reason
        if present.open_until is not None and now < present.open_until:
            failures = present.failures
            told = f"failed {failures} times in a row" if failures else "asked for a pause"
            return f"released: '{correction.target_system}' {told}"
        return None

    def ready_and_due(self, system: str, now: datetime, limit: int) -> Sequence[Correction]:
        """Ready corrections of a system whose time has come, without taking them."""
        with self.read() as connection:
            return self._due(connection, system, State.READY, now, limit)

    def mark_rehearsed(
        self,
        connection: Connection,
        correction: Correction,
        now: datetime,
        next_attempt_at: datetime,
        reason: str,
    ) -> None:
        """Note a dry run and put the correction off."""
        values: dict[str, Any] = {"next_attempt_at": next_attempt_at}
        if correction.dry_run_at is None:
            values |= {"dry_run_at": now, "updated_at": now, "state_reason": reason}
        connection.execute(
            sa.update(t.corrections)
            .where(t.corrections.c.correction_key == correction.correction_key)
            .where(t.corrections.c.state == State.READY.value)
            .values(**values)
        )

    def failed_looks(self, correction: Correction) -> int:
        """How often it could not be read what became of it."""
        with self.read() as connection:
            found: int = connection.execute(
                _FAILED_LOOKS, {"of_key": correction.correction_key}
            ).scalar_one()
            return found

    def one(self, connection: Connection, correction_key: str) -> Correction:
        row = connection.execute(_ONE, {"of_key": correction_key}).one_or_none()
        if row is None:
            raise UnknownCorrectionError(
                f"no correction '{correction_key}': `tallyman corrections list` shows the keys"
            )
        return as_correction(row)

    def latest_generations(
        self, connection: Connection, proposal_keys: Sequence[str]
    ) -> dict[str, Correction]:
        """Proposal key -> its newest correction."""
        newest: dict[str, Correction] = {}
        for chunk in chunks(proposal_keys):
            rows = connection.execute(
                sa.select(t.corrections)
                .where(t.corrections.c.proposal_key.in_(chunk))
                .order_by(t.corrections.c.generation)
            )
            newest.update({row.proposal_key: as_correction(row) for row in rows})
        return newest

    def latest_of_drifts(
        self, connection: Connection, object_ids: Iterable[str]
    ) -> dict[tuple[str, str, str], list[Correction]]:
        """(target, object, kind) -> of each drift of these objects the newest correction and the
        newest rejected one, oldest first. A drift goes by the exceptions that it shows as: its
        values may move."""
        c = t.corrections.c
        is_rejected = c.state == State.REJECTED.value
        found: dict[tuple[str, str, str], list[Correction]] = {}
        for chunk in chunks(sorted(set(object_ids))):
            newest = (
                sa.select(sa.func.max(c.sequence))
                .where(c.object_id.in_(chunk))
                .group_by(c.target_system, c.object_id, c.kind, c.obligation_ids, is_rejected)
            )
            rows = connection.execute(
                sa.select(t.corrections).where(c.sequence.in_(newest)).order_by(c.sequence)
            )
            for one in map(as_correction, rows):
                found.setdefault((one.target_system, one.object_id, one.kind), []).append(one)
        return found

    def in_state(self, connection: Connection, state: State) -> Sequence[Correction]:
        """All corrections in a state, in the order in which they were proposed."""
        rows = connection.execute(
            sa.select(t.corrections)
            .where(t.corrections.c.state == state.value)
            .order_by(t.corrections.c.sequence)
        )
        return [as_correction(row) for row in rows]

    def rivals(self, connection: Connection, correction: Correction) -> Sequence[Correction]:
        """Other unsent corrections that contradict it: different wishes for one thing of the object
        in one target, or its very wish in another target. ``conflict`` alone does not say that: an
        object whose price takes turns has it on whatever is proposed there."""
        c = t.corrections.c
        in_one_place = sa.and_(
            c.target_system == correction.target_system,
            c.kind.in_(contradicting(correction.kind)),
        )
        same_wish = sa.and_(
            c.kind == correction.kind, c.obligation_ids == correction.obligation_ids
        )
        rows = connection.execute(
            sa.select(t.corrections)
            .where(c.object_id == correction.object_id)
            .where(c.conflict)
            .where(sa.or_(in_one_place, same_wish))
            .where(c.sequence != correction.sequence)
            .where(c.state.in_([state.value for state in UNSENT]))
        )
        return [as_correction(row) for row in rows]

    def not_withdrawn(
        self,
        connection: Connection,
        states: Iterable[State],
        targets: Iterable[str] | None = None,
    ) -> Sequence[tuple[str, str, State]]:
        """(correction key, proposal key, state) of those whose drift is not known to be gone;
        ``targets`` limits it to corrections of these systems. One that may have been sent, and is
        to be looked at or waits for a person since, is not among them: a part of it may stand, and
        that part may be why the drift is gone."""
        c = t.corrections.c
        unsent = [state.value for state in UNSENT]
        statement = (
            sa.select(c.correction_key, c.proposal_key, c.state)
            .where(c.state.in_([state.value for state in states]))
            .where(c.withdrawn_at.is_(None))
            .where(sa.not_(sa.and_(c.state.in_(unsent), c.possibly_sent)))
        )
        if targets is not None:
            statement = statement.where(c.target_system.in_(sorted(targets)))
        rows = connection.execute(statement)
        return [(row[0], row[1], State(row[2])) for row in rows]

    def accepted_since(
        self, connection: Connection, object_ids: Iterable[str], since: datetime
    ) -> dict[tuple[str, str, str], int]:
        """(target, object, kind) -> how many corrections of these objects the target accepted
        since then. Of all objects it would be a day's work to read for each build."""
        c = t.corrections.c
        counted: dict[tuple[str, str, str], int] = {}
        for chunk in chunks(sorted(set(object_ids))):
            rows = connection.execute(
                sa.select(c.target_system, c.object_id, c.kind, sa.func.count())
                .where(c.object_id.in_(chunk), c.accepted_at >= since)
                .group_by(c.target_system, c.object_id, c.kind)
            )
            counted |= {(row[0], row[1], row[2]): row[3] for row in rows}
        return counted

    def new_by_build(self, connection: Connection, builds: int = 30) -> list[int]:
        """How many corrections each of the latest builds brought that brought any. What people had
        tried again came from no build."""
        c, d = t.corrections.c, t.decisions.c
        created = c.created_at
        before_it = c.proposal_key + "-" + sa.cast(c.generation - 1, sa.String)
        tried_again: sa.Select[Any] = (
            sa.select(sa.literal_column("1"))
            .select_from(t.decisions)
            .where(d.correction_key == before_it, d.decision == RETRIED)
        )
        rows = connection.execute(
            sa.select(sa.func.count())
            .select_from(t.corrections)
            .where(~sa.exists(tried_again))
            .group_by(created)
            .order_by(created.desc())
            .limit(builds)
        )
        return [row[0] for row in rows]

    def applied_later(
        self, connection: Connection, correction: Correction
    ) -> tuple[str, State] | None:
        """(correction key, state) of the last one of its kind and object that was sent after it and
        holds or may hold, if any: what that did stands on what this did."""
        c = t.corrections.c
        row = connection.execute(
            sa.select(c.correction_key, c.state)
            .where(c.object_id == correction.object_id)
            .where(c.target_system == correction.target_system)
            .where(c.kind == correction.kind)
            .where(c.sequence > correction.sequence)
            .where(is_one_of(c.state, IN_FLIGHT | sources(Event.UNDO)))
            .order_by(c.sequence.desc())
            .limit(1)
        ).one_or_none()
        return None if row is None else (row[0], State(row[1]))

    def asked_back(self, connection: Connection, correction_keys: Iterable[str]) -> set[str]:
        """Those of the corrections that a person wanted undone, whatever came of it."""
        asked: set[str] = set()
        for chunk in chunks(sorted(set(correction_keys))):
            rows = connection.execute(
                sa.select(t.decisions.c.correction_key)
                .where(t.decisions.c.correction_key.in_(chunk))
                .where(t.decisions.c.decision == UNDO_REQUESTED)
            )
            asked.update(row[0] for row in rows)
        return asked

    def claim_for_undo(
        self,
        connection: Connection,
        correction_key: str,
        now: datetime,
        until: datetime,
        token: str,
    ) -> Correction:
        """Take an applied correction so that only one process undoes it."""
        correction = self.one(connection, correction_key)
        if correction.state not in sources(Event.UNDO):
            raise IllegalTransitionError(
                correction.state, Event.UNDO, f"correction {correction_key}"
            )
        if correction.lease_until is not None and correction.lease_until > now:
            raise LeaseLostError(
                f"correction {correction_key} is being undone by someone else; look again soon"
            )
        connection.execute(
            sa.update(t.corrections)
            .where(t.corrections.c.correction_key == correction_key)
            .values(lease_token=token, lease_until=until)
        )
        return self.one(connection, correction_key)

    def release_claim(
        self, connection: Connection, correction_key: str, token: str, now: datetime, reason: str
    ) -> None:
        connection.execute(
            sa.update(t.corrections)
            .where(t.corrections.c.correction_key == correction_key)
            .where(t.corrections.c.lease_token == token)
            .values(lease_token=None, lease_until=None, state_reason=reason, updated_at=now)
        )

    def _due(
        self, connection: Connection, system: str, state: State, now: datetime, limit: int
    ) -> Sequence[Correction]:
        bound = {"of_system": system, "of_state": state.value, "now": now, "at_most": limit}
        return [as_correction(row) for row in connection.execute(_DUE, bound)]

    def _ready_with_open_gates(
        self,
        connection: Connection,
        system: str,
        now: datetime,
        room: int,
        gates: dict[str, Gate],
        objects: set[str],
    ) -> Sequence[Correction]:
        """``objects``: what other targets get a correction of already. Each of these may be among
        the first that are due."""
        taken: list[Correction] = []
        while len(taken) < room:
            wanted = room - len(taken)
            candidates = self._due(connection, system, State.READY, now, room + len(objects))
            seen = objects | {correction.object_id for correction in taken}
            fresh = [c for c in candidates if c.object_id not in seen][:wanted]
            held = 0
            for correction in fresh:
                closed = [
                    gate
                    for name in correction.relied_on_systems
                    if not (gate := self.latest_gate(connection, name, gates)).is_open
                ]
                if not closed:
                    taken.append(correction)
                    continue
                held += 1
                connection.execute(
                    sa.update(t.corrections)
                    .where(t.corrections.c.correction_key == correction.correction_key)
                    .values(
                        next_attempt_at=now + GATE_HOLD,
                        state_reason=closed[0].hold_reason,
                        updated_at=now,
                    )
                )
            if not held:
                break
        return taken

    def _expired(self, connection: Connection, now: datetime) -> list[str]:
        return [row[0] for row in connection.execute(_EXPIRED, {"now": now})]


def is_one_of(column: sa.Column[str], states: Iterable[State]) -> sa.ColumnElement[bool]:
    """``column in (...)`` with the states written out: a list of parameters would be expanded anew
    at each execution."""
    return column.in_([sa.literal_column(f"'{state.value}'") for state in sorted(states)])


@cache
def first_of_its_object() -> sa.ColumnElement[bool]:
    """No other correction of the object is in flight or being taken back, nor ready for the same
    target and proposed earlier: what another target is not to get yet holds nobody up."""
    c = t.corrections.c
    other = t.corrections.alias("other")
    return ~sa.exists(
        sa.select(sa.literal_column("1"))
        .select_from(other)
        .where(other.c.object_id == c.object_id)
        .where(other.c.sequence != c.sequence)
        .where(
            sa.or_(
                is_one_of(other.c.state, IN_FLIGHT),
                other.c.lease_until > sa.bindparam("now", type_=t.UtcDateTime()),
                sa.and_(
                    c.state == State.READY.value,
                    other.c.state == State.READY.value,
                    other.c.target_system == c.target_system,
                    other.c.sequence < c.sequence,
                ),
            )
        )
    )


_c = t.corrections.c
# Built once: building a statement costs more than running it.
_ONE = sa.select(t.corrections).where(_c.correction_key == sa.bindparam("of_key"))
_NEW_ATTEMPT = sa.insert(t.attempts)
_FAILED_LOOKS = (
    sa.select(sa.func.count())
    .select_from(t.attempts)
    .where(t.attempts.c.correction_key == sa.bindparam("of_key"))
    .where(t.attempts.c.phase == "read", t.attempts.c.result == State.UNKNOWN.value)
)
_DUE = (
    sa.select(t.corrections)
    .where(
        _c.target_system == sa.bindparam("of_system"),
        _c.state == sa.bindparam("of_state"),
        _c.next_attempt_at <= sa.bindparam("now", type_=t.UtcDateTime()),
    )
    .where(
        sa.or_(
            _c.lease_until.is_(None), _c.lease_until <= sa.bindparam("now", type_=t.UtcDateTime())
        )
    )
    .where(first_of_its_object())
    .order_by(_c.next_attempt_at, _c.sequence)
    .limit(sa.bindparam("at_most", type_=sa.Integer()))
    .with_for_update(skip_locked=True, of=t.corrections)
)
_TAKE = (
    sa.update(t.corrections)
    .where(_c.correction_key == sa.bindparam("of_key"))
    .values(
        state=sa.bindparam("new_state"),
        lease_token=sa.bindparam("new_token"),
        lease_until=sa.bindparam("new_until"),
        updated_at=sa.bindparam("new_updated_at"),
    )
)
_EXPIRED = sa.select(_c.correction_key).where(
    _c.state == State.SENDING.value, _c.lease_until <= sa.bindparam("now", type_=t.UtcDateTime())
)


def _last_look() -> sa.Select[Any]:
    """Lease, kill switch, pause and breaker of one correction as of one moment. It is asked before
    each request, so that it is one statement."""
    stop, pause = t.kill_switch.alias(), t.pauses.alias()
    last_stop = sa.select(sa.func.max(t.kill_switch.c.sequence)).scalar_subquery()
    last_pause = (
        sa.select(sa.func.max(t.pauses.c.sequence))
        .where(t.pauses.c.target_system == _c.target_system)
        .correlate(t.corrections)
        .scalar_subquery()
    )
    return (
        sa.select(
            _c.state,
            _c.lease_token,
            stop.c.engaged.label("stopped"),
            stop.c.reason.label("stop_reason"),
            stop.c.actor.label("stop_actor"),
            pause.c.engaged.label("paused"),
            pause.c.reason.label("pause_reason"),
            pause.c.actor.label("pause_actor"),
            t.breakers.c.failures,
            t.breakers.c.open_until,
        )
        .select_from(t.corrections)
        .outerjoin(stop, stop.c.sequence == last_stop)
        .outerjoin(pause, pause.c.sequence == last_pause)
        .outerjoin(t.breakers, t.breakers.c.system == _c.target_system)
        .where(_c.correction_key == sa.bindparam("of_key"))
    )


_LAST_LOOK = _last_look()


@cache
def _move(
    event: Event, only_from: frozenset[State] | None, with_lease: bool, columns: tuple[str, ...]
) -> sa.Update:
    """The guarded UPDATE of an event that also sets ``columns``."""
    allowed = sources(event) if only_from is None else sources(event) & only_from
    statement = (
        sa.update(t.corrections)
        .where(_c.correction_key == sa.bindparam("of_key"))
        .where(is_one_of(_c.state, allowed))
    )
    if with_lease:
        statement = statement.where(_c.lease_token == sa.bindparam("of_token"))
    return statement.values(
        state=destination(event).value,
        lease_token=None,
        lease_until=None,
        **{name: sa.bindparam(f"new_{name}", type_=_c[name].type) for name in columns},
    )


_STATE = list(t.corrections.c.keys()).index("state")


def as_correction(row: sa.Row[Any]) -> Correction:
    # The columns are the fields, in their order (tests/writeback/test_store.py); by position it
    # costs a third.
    values = list(row)
    values[_STATE] = State(values[_STATE])
    return Correction(*values)


def as_decision(row: sa.Row[Any]) -> DecisionRecord:
    values = dict(row._mapping)
    del values["sequence"]
    return DecisionRecord(**values)
