"""People's decisions: approve, reject, hold, try again, replay. Each names its actor."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from registry.crash_points import crash_point
from registry.errors import TallymanError
from writeback.clock import Clock
from writeback.model import Correction
from writeback.outbox import RETRIED
from writeback.propose import HOLD_BRAKE, HOLD_PERSON, blank_progress, idempotency_key
from writeback.states import UNSENT, Event, IllegalTransitionError, State
from writeback.store import OperationsStore

APPROVAL_LIFETIME = timedelta(hours=24)


class ApprovalError(TallymanError):
    """A decision can't be taken as given."""


def approve(
    store: OperationsStore,
    correction_key: str,
    actor: str,
    comment: str,
    clock: Clock | None = None,
    *,
    payload_hash: str | None = None,
    lifetime: timedelta = APPROVAL_LIFETIME,
) -> None:
    """Let a waiting correction be sent.

    The approval covers exactly the content it has now, or, with ``payload_hash``, the content that
    the person saw: if that has changed meanwhile the approval is refused. It holds for
    ``lifetime``; what is not sent by then waits again. Approving one of several contradicting
    corrections rejects the others. Raises ApprovalError, IllegalTransitionError or
    UnknownCorrectionError.
    """
    _check_actor(actor)
    clock = clock or store.clock
    now = clock.now()
    key = store.resolve_key(correction_key)
    with store.write() as connection:
        correction = store.one(connection, key)
        if correction.state is not State.AWAITING_APPROVAL:
            raise IllegalTransitionError(correction.state, Event.RELEASE, f"correction {key}")
        content = correction.content_hash()
        if content != correction.payload_hash or (payload_hash or content) != content:
            raise ApprovalError(
                f"correction {key} has changed since it was shown: look at it again, then approve"
            )
        store.transition(
            connection,
            key,
            Event.RELEASE,
            now,
            state_reason=f"approved by {actor}",
            next_attempt_at=correction.due_after(now),
            approved_hash=content,
            approved_until=now + lifetime,
        )
        store.log_decision(connection, key, actor, "approved", comment, now, content)
        if correction.conflict:
            for rival in store.rivals(connection, correction):
                _reject(
                    store, connection, rival, actor, f"{key} was chosen instead: {comment}", clock
                )
        crash_point("writeback.during_approval")
    crash_point("writeback.after_approval")


def reject(
    store: OperationsStore,
    correction_key: str,
    actor: str,
    comment: str,
    clock: Clock | None = None,
) -> None:
    """Never send a waiting correction. It is not proposed again while its drift lasts."""
    _check_actor(actor)
    key = store.resolve_key(correction_key)
    with store.write() as connection:
        correction = store.one(connection, key)
        _reject(store, connection, correction, actor, comment, clock or store.clock)


def hold(
    store: OperationsStore,
    correction_key: str,
    actor: str,
    comment: str,
    clock: Clock | None = None,
) -> None:
    """Keep an unsent correction back until somebody approves or rejects it."""
    _check_actor(actor)
    now = (clock or store.clock).now()
    key = store.resolve_key(correction_key)
    with store.write() as connection:
        correction = store.one(connection, key)
        store.transition(
            connection,
            key,
            Event.HOLD,
            now,
            only_from=UNSENT,
            state_reason=f"held by {actor}: {comment}" if comment else f"held by {actor}",
            hold_codes=sorted({*correction.hold_codes, HOLD_PERSON}),
            approved_hash=None,
            approved_until=None,
        )
        store.log_decision(connection, key, actor, "held", comment, now, correction.payload_hash)


def replay(
    store: OperationsStore,
    actor: str,
    comment: str,
    target_system: str | None = None,
) -> list[str]:
    """Try all dead corrections (of a target) once more; returns the new keys.

    For the time after an outage that spent their attempts. Like any, each is read before it is
    sent: what the target has by now is not sent again. Those that were tried again stay as they
    are.
    """
    _check_actor(actor)
    dead = store.list(state=State.DEAD.value, target_system=target_system, limit=None)
    with store.read() as connection:
        newest = store.latest_generations(connection, [c.proposal_key for c in dead])
    return [
        retry(store, correction.correction_key, actor, comment)
        for correction in reversed(dead)
        if newest[correction.proposal_key].correction_key == correction.correction_key
    ]


def release_brake(
    store: OperationsStore, actor: str, comment: str, clock: Clock | None = None
) -> int:
    """Release all corrections that only the blast-radius brake holds; returns how many.

    Those that also need approval for their value, their kind or a conflict keep waiting.
    """
    _check_actor(actor)
    now = (clock or store.clock).now()
    with store.write() as connection:
        held = [
            correction
            for correction in store.in_state(connection, State.AWAITING_APPROVAL)
            if correction.hold_codes == [HOLD_BRAKE]
        ]
        for correction in held:
            key = correction.correction_key
            store.transition(
                connection,
                key,
                Event.RELEASE,
                now,
                state_reason=f"brake released by {actor}",
                next_attempt_at=correction.due_after(now),
                hold_codes=[],
            )
            store.log_decision(
                connection, key, actor, "brake_released", comment, now, correction.payload_hash
            )
    return len(held)


def retry(
    store: OperationsStore,
    correction_key: str,
    actor: str,
    comment: str,
    clock: Clock | None = None,
) -> str:
    """Try a refused, dead or unproven correction once more and return the new correction's key.

    The old one keeps its history; the new one is the next generation with a key of its own, since
    a target may answer the old key with its old answer. It is read before it is sent, like any.
    """
    _check_actor(actor)
    now = (clock or store.clock).now()
    key = store.resolve_key(correction_key)
    with store.write() as connection:
        old = store.one(connection, key)
        if old.state not in (State.REFUSED, State.DEAD, State.UNPROVEN):
            raise ApprovalError(
                f"correction {key} is '{old.state}': only refused, dead and unproven ones can be "
                "tried again"
            )
        newest = store.latest_generations(connection, [old.proposal_key])[old.proposal_key]
        if newest.correction_key != key:
            raise ApprovalError(f"correction {key} was tried again before: {newest.correction_key}")
        generation = old.generation + 1
        new_key = f"{old.proposal_key}-{generation}"
        row: dict[str, Any] = {
            **{name: getattr(old, name) for name in _CARRIED_OVER},
            **blank_progress(now),
            "correction_key": new_key,
            "generation": generation,
            "idempotency_key": idempotency_key(old.proposal_key, generation),
            "state": State.READY.value,
            "state_reason": f"tried again by {actor}",
            "approved_hash": old.payload_hash,
            "approved_until": now + APPROVAL_LIFETIME,
        }
        store.insert(connection, [row])
        store.log_decision(connection, key, actor, RETRIED, comment, now, old.payload_hash)
        store.log_decision(connection, new_key, actor, "approved", comment, now, old.payload_hash)
    return new_key


_CARRIED_OVER = (
    "proposal_key",
    "rule_id",
    "obligation_ids",
    "object_type",
    "object_id",
    "order_id",
    "order_line_id",
    "target_system",
    "target_role",
    "kind",
    "old_value",
    "new_value",
    "payload",
    "preconditions",
    "payload_hash",
    "relied_on_systems",
    "value_at_risk",
    "currency",
    "first_sighting_at",
    "frontier_at",
    "needs_approval",
    "conflict",
    "hold_codes",
)


def _reject(
    store: OperationsStore,
    connection: Any,
    correction: Correction,
    actor: str,
    comment: str,
    clock: Clock,
) -> None:
    now = clock.now()
    key = correction.correction_key
    reason = f"rejected by {actor}: {comment}" if comment else f"rejected by {actor}"
    store.transition(connection, key, Event.REJECT, now, state_reason=reason)
    store.log_decision(connection, key, actor, "rejected", comment, now, correction.payload_hash)


def _check_actor(actor: str) -> None:
    if not actor.strip():
        raise ApprovalError("a decision needs the name of the person who takes it")
