"""Taking an applied correction back, on a person's word."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from connectors.base import Outcome, Result, Target
from connectors.deadlines import Deadline
from registry.crash_points import crash_point
from registry.errors import TallymanError
from writeback.allowances import learn, tell
from writeback.clock import Clock, Rng, new_token
from writeback.outbox import UNDO_REQUESTED
from writeback.states import Event
from writeback.store import AttemptEntry, LeaseLostError, OperationsStore

# Longer than any request: until then a second person's undo waits.
UNDO_LEASE = timedelta(seconds=120)


class UndoError(TallymanError):
    """A correction could not be undone; the message says what to do."""


def undo(
    store: OperationsStore,
    targets: Mapping[str, Target],
    correction_key: str,
    actor: str,
    comment: str,
    clock: Clock,
    rng: Rng,
) -> Outcome:
    """Apply the inverse of an accepted, verified, unproven or moot correction.

    The key of the inverse derives from the correction's own, so that repeating an undo whose answer
    got lost has one effect. An outcome that is not OK leaves the state as it was and is written to
    the reason: unknown and retry ask for another undo, refused for a look at the target. Raises
    UndoError (kill switch, write mode, no target), IllegalTransitionError or LeaseLostError
    (somebody else is at it, or the claim ran out before the answer came: it is in the history).
    """
    if not actor.strip():
        raise UndoError("an undo needs the name of the person who wants it")
    key = store.resolve_key(correction_key)
    # Held up for longer than that, somebody else may have it, or have stopped all sending.
    deadline = Deadline.after(UNDO_LEASE, clock)
    now = clock.now()
    token = new_token(rng)
    with store.write() as connection:
        stopped = store.kill_reason_in(connection)
        if stopped is not None:
            raise UndoError(f"nothing is sent while the kill switch is on: {stopped}")
        correction = store.one(connection, key)
        target = targets.get(correction.target_system)
        if target is None or target.system.write_mode != "on":
            raise UndoError(
                f"system '{correction.target_system}' takes no corrections: set its write_mode to "
                "'on' first"
            )
        paused = store.pause_reason_in(connection, correction.target_system)
        if paused is not None:
            name = correction.target_system
            raise UndoError(f"nothing is sent to '{name}' while it is paused: {paused}")
        later = store.applied_later(connection, correction)
        if later:
            # The value is theirs by now, and a target without a memory of keys could not tell.
            last, state = later
            raise UndoError(
                f"correction {last} ({state}) did the same to {correction.object_id} after "
                f"{key}: take that one back first"
            )
        learn(target, store.allowance_in(connection, correction.target_system), now)
        correction = store.claim_for_undo(connection, key, now, deadline.before, token)
        store.log_decision(
            connection, key, actor, UNDO_REQUESTED, comment, now, correction.payload_hash
        )
        crash_point("writeback.during_claim")
    crash_point("writeback.before_undo")
    try:
        outcome = target.undo(correction.request(deadline), correction.target_record_id)
    except Exception as error:
        outcome = Outcome(Result.UNKNOWN, "connector_error", f"{type(error).__name__}: {error}")
    crash_point("writeback.after_undo_before_mark")
    ended = clock.now()
    entry = AttemptEntry(
        "undo",
        outcome.result.value,
        outcome.code,
        now,
        ended,
        message=outcome.message,
        response=outcome.response,
    )
    try:
        with store.write() as connection:
            store.log_attempt(connection, correction, correction.attempts, entry)
            if outcome.result is Result.OK:
                reason = f"undone by {actor}: {comment}"
                store.transition(
                    connection, key, Event.UNDO, ended, lease_token=token, state_reason=reason
                )
            else:
                reason = f"undo by {actor}: {outcome.result} ({outcome.code}: {outcome.message})"
                store.release_claim(connection, key, token, ended, reason)
            tell(store, connection, correction.target_system, target, ended)
            crash_point("writeback.during_undo_mark")
    except LeaseLostError:
        # The history must show the request although its claim ran out before the answer came.
        with store.write() as connection:
            store.log_attempt(connection, correction, correction.attempts, entry)
            tell(store, connection, correction.target_system, target, ended)
            present = store.one(connection, key)
        raise LeaseLostError(
            f"the undo of {key} took longer than its claim: the target answered {outcome.result} "
            f"({outcome.code}), which its history shows, but the correction is '{present.state}' "
            "by now. Unless that is 'reverted', ask for the undo again: both have one effect"
        ) from None
    crash_point("writeback.after_undo")
    return outcome
