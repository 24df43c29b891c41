"""Pure retry decisions: the published schedule, its jitter, Retry-After and the cap. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.base import Outcome, Result
from writeback.clock import Rng
from writeback.states import Event


@dataclass(frozen=True)
class RetrySchedule:
    """When a technical failure is tried again.

    ``delays_seconds`` after the first, second, ... failure; the last one repeats until
    ``max_attempts`` are spent. ``jitter`` is the share by which each delay may grow or shrink, so
    that corrections that failed together do not come back together. A Retry-After longer than the
    delay is honoured up to ``max_retry_after_seconds`` (a typing error must not park one for ever).
    """

    delays_seconds: tuple[float, ...] = (10, 30, 120, 600, 1800, 3600)
    max_attempts: int = 10
    jitter: float = 0.2
    max_retry_after_seconds: float = 86_400

    def delay(self, failures: int, rng: Rng, retry_after_seconds: float | None = None) -> float:
        """Seconds to wait after the ``failures``-th failure (1 or more)."""
        base = self.delays_seconds[min(failures, len(self.delays_seconds)) - 1]
        wait = base * (1 - self.jitter + 2 * self.jitter * rng.random())
        if retry_after_seconds is not None and retry_after_seconds > 0:
            # Later than asked, never earlier: jitter only adds to what the target demanded.
            demanded = min(retry_after_seconds, self.max_retry_after_seconds)
            wait = max(wait, demanded * (1 + self.jitter * rng.random()))
        return wait


@dataclass(frozen=True)
class Decision:
    """What to do with a correction after an attempt: the event, and when it is due again."""

    event: Event
    reason: str
    next_attempt_at: datetime | None = None


def after_send(
    outcome: Outcome, attempts: int, now: datetime, rng: Rng, schedule: RetrySchedule
) -> Decision:
    """Judge the answer to a send. ``attempts`` counts it already.

    A refusal is final: the same request would be refused again. An unknown outcome is looked at
    after a delay, because a request that timed out may still be on its way into the target.
    """
    reason = f"{outcome.code}: {outcome.message}" if outcome.message else outcome.code
    match outcome.result:
        case Result.OK:
            return Decision(Event.ACCEPT, reason)
        case Result.REFUSED:
            return Decision(Event.REFUSE, reason)
        case Result.UNKNOWN:
            wait = schedule.delay(attempts, rng, outcome.retry_after_seconds)
            due = now + timedelta(seconds=wait)
            return Decision(Event.LOSE, f"no certain answer ({reason})", due)
        case Result.RETRY:
            return after_failure(reason, attempts, now, rng, schedule, outcome.retry_after_seconds)


def after_failure(
    reason: str,
    attempts: int,
    now: datetime,
    rng: Rng,
    schedule: RetrySchedule,
    retry_after_seconds: float | None = None,
) -> Decision:
    """Judge a technical failure that certainly had no effect. ``attempts`` counts it already."""
    if attempts >= schedule.max_attempts:
        return Decision(Event.EXHAUST, f"gave up after {attempts} attempts: {reason}")
    due = now + timedelta(seconds=schedule.delay(attempts, rng, retry_after_seconds))
    return Decision(Event.POSTPONE, reason, due)


def after_failed_read(
    reason: str,
    failures: int,
    now: datetime,
    rng: Rng,
    schedule: RetrySchedule,
    retry_after_seconds: float | None = None,
) -> Decision:
    """Judge a failed look at an unknown one. ``failures``: its attempts and its failed looks. It
    stays unknown, however often the read fails: without a read nobody knows that it was not
    applied, so it may not be called dead."""
    due = now + timedelta(seconds=schedule.delay(max(failures, 1), rng, retry_after_seconds))
    return Decision(Event.LOSE, f"could not be read back: {reason}", due)


def after_absent(reason: str, attempts: int, now: datetime, schedule: RetrySchedule) -> Decision:
    """Judge a read that showed that an unknown one was not applied: it may be sent again, with the
    same key, unless the attempts are spent."""
    if attempts >= schedule.max_attempts:
        return Decision(Event.EXHAUST, f"gave up after {attempts} attempts: {reason}")
    return Decision(Event.FIND_ABSENT, reason, now)
