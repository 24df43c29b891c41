"""Delivery: lease what is due, look at both systems, send once, and write down what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from connectors.base import Outcome, Result, Source, SourceError, Target, TargetState
from registry.crash_points import crash_point
from registry.errors import TallymanError
from registry.systems import Policy
from writeback import decide
from writeback.approval import APPROVAL_LIFETIME
from writeback.brakes import Conditions
from writeback.canonical import canonical_json
from writeback.clock import Clock, Rng, new_token
from writeback.decide import Decision, RetrySchedule
from writeback.model import Correction
from writeback.preconditions import PreconditionUnreadableError, first_broken
from writeback.propose import approval_reason
from writeback.states import Event, State, destination
from writeback.store import AttemptEntry, LeaseLostError, OperationsStore

# After this many technical failures in a row a target is left alone; then one probe at a time.
BREAKER_FAILURES = 5
BREAKER_PAUSE = timedelta(seconds=60)
# Retry-After of an answer that is about the sender and not about one record holds for all that goes
# to the target, up to this long: a typing error there must not stop it for a day.
LONGEST_PAUSE = timedelta(hours=1)
_MEANS_THE_SENDER = frozenset({"rate_limited", "unavailable"})
# A rehearsed correction is looked at again after this long, in case the write mode was changed.
DRY_RUN_PAUSE = timedelta(hours=1)


@dataclass(frozen=True)
class DeliverySettings:
    """How a dispatcher works. A lease must outlast the slowest request by far; a request begins
    only while ``send_margin`` of the lease is left. Few rows a lease keep an abandoned lease small.
    """

    schedule: RetrySchedule = field(default_factory=RetrySchedule)
    lease: timedelta = timedelta(seconds=180)
    send_margin: timedelta = timedelta(seconds=60)
    rows_a_lease: int = 10


@dataclass
class DeliveryReport:
    """Counts of one call. ``sent``: requests handed to targets. ``stopped``: why nothing was sent,
    for all; ``closed_gates``, ``open_breakers`` and ``paused``: for one system (system -> reason).
    """

    leased: int = 0
    sent: int = 0
    accepted: int = 0
    refused: int = 0
    unknown: int = 0
    postponed: int = 0
    dead: int = 0
    superseded: int = 0
    held: int = 0
    dry_run: int = 0
    abandoned: int = 0
    lost_leases: int = 0
    stopped: str | None = None
    closed_gates: dict[str, str] = field(default_factory=dict)
    open_breakers: dict[str, str] = field(default_factory=dict)
    paused: dict[str, str] = field(default_factory=dict)
    without_target: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The counts by name, with None and empty texts as ``-``."""
        return {
            name: value if isinstance(value, int) else str(value or "-")
            for name, value in asdict(self).items()
        }

    def count(self, event: Event) -> None:
        match destination(event):
            case State.ACCEPTED:
                self.accepted += 1
            case State.REFUSED:
                self.refused += 1
            case State.UNKNOWN:
                self.unknown += 1
            case State.READY:
                self.postponed += 1
            case State.DEAD:
                self.dead += 1
            case State.SUPERSEDED:
                self.superseded += 1
            case State.AWAITING_APPROVAL:
                self.held += 1


def deliver_due(
    store: OperationsStore,
    targets: Mapping[str, Target],
    sources: Mapping[str, Source],
    policy: Policy,
    clock: Clock,
    rng: Rng,
    batch_limit: int = 500,
    settings: DeliverySettings | None = None,
) -> DeliveryReport:
    """Deliver up to ``batch_limit`` due corrections and say what came of them.

    Safe to run at once in several threads and processes, and to kill at any point: a correction
    whose dispatcher died is resolved by reading the target before anything is sent again.
    """
    settings = settings or DeliverySettings()
    return _Delivery(store, targets, sources, policy, clock, rng, settings).run(batch_limit)


class _Delivery:
    """One call of ``deliver_due``."""

    def __init__(
        self,
        store: OperationsStore,
        targets: Mapping[str, Target],
        sources: Mapping[str, Source],
        policy: Policy,
        clock: Clock,
        rng: Rng,
        settings: DeliverySettings,
    ) -> None:
        self.store = store
        self.targets = targets
        self.sources = sources
        self.policy = policy
        self.clock = clock
        self.rng = rng
        self.settings = settings
        self.report = DeliveryReport()
        self.writable = [
            name for name, target in sorted(targets.items()) if target.system.write_mode == "on"
        ]

    def run(self, batch_limit: int) -> DeliveryReport:
        store, report = self.store, self.report
        report.abandoned = len(store.expire_leases(self.clock.now()))
        crash_point("writeback.after_expiry")
        for name, target in sorted(self.targets.items()):
            if target.system.write_mode == "dry_run":
                self._rehearse(name, batch_limit)
        while report.leased < batch_limit:
            conditions = store.conditions(self.writable)
            report.stopped = conditions.stopped
            if report.stopped is not None:
                break
            room = min(self.settings.rows_a_lease, batch_limit - report.leased)
            leased = self._lease(conditions, room)
            if not leased:
                break
            report.leased += len(leased)
            crash_point("writeback.after_lease")
            for correction in leased:
                try:
                    if correction.state is State.UNKNOWN:
                        self._resolve(correction)
                    else:
                        self._deliver(correction)
                except LeaseLostError:
                    # Someone else has it and reads the target first; what we learnt is not needed.
                    report.lost_leases += 1
        return report

    # ---- choosing --------------------------------------------------------------------------

    def _lease(self, conditions: Conditions, limit: int) -> list[Correction]:
        now = self.clock.now()
        limits: dict[str, int] = {}
        for name in self.writable:
            if name in conditions.paused:
                self.report.paused[name] = conditions.paused[name]
                continue
            failures, open_until = conditions.breakers[name]
            if open_until is not None and now < open_until:
                self.report.open_breakers[name] = f"{failures} failures in a row"
                continue
            limits[name] = 1 if failures >= BREAKER_FAILURES else limit
        for name, gate in conditions.closed.items():
            self.report.closed_gates[name] = f"{gate.outcome}: {gate.reason}"
        return list(
            self.store.lease(
                limits,
                sorted(self.targets),
                now,
                now + self.settings.lease,
                new_token(self.rng),
                limit,
            )
        )

    def _rehearse(self, system: str, limit: int) -> None:
        """Dry run: record once what would be sent, and leave the correction ready."""
        now = self.clock.now()
        due = self.store.ready_and_due(system, now, limit)
        if not due:
            return
        with self.store.write() as connection:
            for correction in due:
                if correction.dry_run_at is None:
                    content = canonical_json(correction.payload)
                    told = f"would send {correction.kind} {content}"
                    entry = AttemptEntry("dry_run", "not_sent", "dry_run", now, now, message=told)
                    self.store.log_attempt(connection, correction, correction.attempts, entry)
                    self.report.dry_run += 1
                self.store.mark_rehearsed(
                    connection,
                    correction,
                    now,
                    now + DRY_RUN_PAUSE,
                    f"dry run: would be sent to '{system}' if its write_mode were 'on'",
                )
            crash_point("writeback.during_rehearsal")
        crash_point("writeback.after_rehearsal")

    # ---- sending ---------------------------------------------------------------------------

    def _deliver(self, correction: Correction) -> None:
        target = self.targets[correction.target_system]
        if self._hold_if_unapproved(correction):
            return
        if correction.kind not in target.kinds:
            known = ", ".join(sorted(target.kinds))
            reason = f"kind_not_supported: '{correction.target_system}' takes only {known}"
            self._settle(correction, Decision(Event.REFUSE, reason))
            return
        started = self.clock.now()
        crash_point("writeback.before_look")
        try:
            verdict = self._look_before_sending(correction, target)
        except LeaseLostError:
            raise
        except Exception as error:
            # Also what a connector did not foresee: one odd record must not stop the others.
            self._put_off_unread(correction, error, started)
            return
        crash_point("writeback.after_look")
        if verdict is not None:
            self._settle(correction, *verdict)
            return
        refusal = self.store.may_still_send(correction, self.clock.now(), self.settings.send_margin)
        if refusal is not None:
            # Nothing was tried: no attempt is counted.
            decision = Decision(Event.POSTPONE, refusal, self.clock.now())
            self._settle(correction, decision)
            return
        self._send(correction, target)

    def _hold_if_unapproved(self, correction: Correction) -> bool:
        now = self.clock.now()
        if correction.content_hash() != correction.payload_hash:
            reason = "its content is not what was proposed: look before you approve"
        elif correction.is_approved(now):
            alone = self._only_approver(correction, now)
            if alone is None:
                return False
            reason = f"{alone} agreed; above {self.policy.four_eyes_above:g} a second person must"
        else:
            policy_reason = approval_reason(
                self.policy, correction.kind, correction.value_at_risk, correction.currency
            )
            if not correction.hold_codes and policy_reason is None:
                return False
            expired = correction.approved_hash is not None
            reason = "the approval expired" if expired else policy_reason or "not approved"
        self._settle(
            correction,
            Decision(Event.HOLD, reason),
            approved_hash=None,
            approved_until=None,
        )
        return True

    def _only_approver(self, correction: Correction, now: datetime) -> str | None:
        """Who agreed, when the policy wants a second person and there was none; else None."""
        limit, value = self.policy.four_eyes_above, correction.value_at_risk
        if limit is None or value is None or abs(value) <= Decimal(str(limit)):
            return None
        people = self.store.approvers(correction, now - APPROVAL_LIFETIME)
        return None if len(people) > 1 else next(iter(people), "one person")

    def _look_before_sending(
        self, correction: Correction, target: Target
    ) -> tuple[Decision, str | None] | None:
        """None when it should be sent; else what became of it without sending, and the record."""
        state = target.read(correction.request())
        if state.applied:
            ours = state.applied_by_key or (
                state.applied_by_key is None and correction.possibly_sent
            )
            if ours:
                reason = "a read shows that it is applied"
                return Decision(Event.ACCEPT, reason), state.target_record_id
            return Decision(Event.FIND_STALE, _overtaken(state)), None
        if not state.precondition_met:
            reason = f"the target holds another value: {_shown(state)}"
            return Decision(Event.FIND_STALE, reason), None
        broken = first_broken(correction.preconditions, self.sources)
        if broken is not None:
            return Decision(Event.FIND_STALE, f"precondition: {broken}"), None
        return None

    def _send(self, correction: Correction, target: Target) -> None:
        crash_point("writeback.before_send")
        started = self.clock.now()
        try:
            # What was read counts for as long as the lease: a request of a sender that was stopped
            # for longer must not leave.
            outcome = target.apply(correction.request(send_before=correction.lease_until))
        except Exception as error:
            # A connector must not raise; when it does, nobody knows how far the request came.
            outcome = Outcome(Result.UNKNOWN, "connector_error", f"{type(error).__name__}: {error}")
        crash_point("writeback.after_send_before_mark")
        self.report.sent += 1
        ended = self.clock.now()
        number = correction.attempts + 1
        decision = decide.after_send(outcome, number, ended, self.rng, self.settings.schedule)
        entry = AttemptEntry(
            "send",
            outcome.result.value,
            outcome.code,
            started,
            ended,
            message=outcome.message,
            response=outcome.response,
        )
        try:
            self._settle(
                correction,
                decision,
                outcome.target_record_id,
                entry=entry,
                answer=outcome,
            )
        except LeaseLostError:
            # The history must show the request although another dispatcher resolves it by reading.
            with self.store.write() as connection:
                self.store.log_attempt(connection, correction, number, entry)
            raise
        crash_point("writeback.after_mark")

    def _put_off_unread(self, correction: Correction, error: Exception, started: datetime) -> None:
        now = self.clock.now()
        number = correction.attempts + 1
        reason = f"not sent, because it could not be checked: {_told(error)}"
        decision = decide.after_failure(reason, number, now, self.rng, self.settings.schedule)
        entry = AttemptEntry("check", "retry", _code(error), started, now, message=_told(error))
        self._settle(correction, decision, entry=entry)

    # ---- resolving -------------------------------------------------------------------------

    def _resolve(self, correction: Correction) -> None:
        """Find out by reading what became of an unknown one; nothing is sent here."""
        target = self.targets[correction.target_system]
        started = self.clock.now()
        crash_point("writeback.before_read_back")
        try:
            state = target.read(correction.request())
        except Exception as error:
            now = self.clock.now()
            told = _told(error)
            decision = decide.after_failed_read(
                told, correction.attempts, now, self.rng, self.settings.schedule
            )
            entry = AttemptEntry("read", "unknown", _code(error), started, now, message=told)
            self._settle(correction, decision, entry=entry, counts=False)
            return
        crash_point("writeback.after_read_back")
        now = self.clock.now()
        record = None
        if state.applied and state.applied_by_key is not False:
            decision = Decision(Event.ACCEPT, "a read shows that it is applied")
            record = state.target_record_id
        elif state.applied:
            decision = Decision(Event.FIND_STALE, _overtaken(state))
        else:
            reason = "a read shows that it is not applied"
            decision = decide.after_absent(reason, correction.attempts, now, self.settings.schedule)
        entry = AttemptEntry("read", decision.event.value, "read_back", started, now)
        self._settle(correction, decision, record, entry=entry, counts=False)

    # ---- writing down ----------------------------------------------------------------------

    def _settle(
        self,
        correction: Correction,
        decision: Decision,
        target_record_id: str | None = None,
        *,
        entry: AttemptEntry | None = None,
        counts: bool = True,
        answer: Outcome | None = None,
        **values: Any,
    ) -> None:
        """Move the correction, log the attempt and keep the breaker, in one commit.

        ``counts``: whether the entry is one of the correction's attempts. ``answer``: what the
        target answered to a request; None when it was not asked.
        """
        now = self.clock.now()
        number = correction.attempts + (1 if entry is not None and counts else 0)
        if decision.event is Event.ACCEPT:
            values["accepted_at"] = now
        if decision.event is Event.LOSE:
            values["possibly_sent"] = True
        if target_record_id is not None:
            values["target_record_id"] = target_record_id
        with self.store.write() as connection:
            self.store.transition(
                connection,
                correction.correction_key,
                decision.event,
                now,
                lease_token=correction.lease_token,
                state_reason=decision.reason,
                next_attempt_at=decision.next_attempt_at,
                attempts=number,
                **values,
            )
            if entry is not None:
                self.store.log_attempt(connection, correction, number, entry)
            if answer is not None:
                self._keep_breaker(connection, correction.target_system, answer, now)
            crash_point("writeback.during_mark")
        crash_point("writeback.after_settlement")
        self.report.count(decision.event)

    def _keep_breaker(self, connection: Any, system: str, answer: Outcome, now: datetime) -> None:
        """The state is the store's: other dispatchers ask the same target, and restarts forget."""
        failures, open_until = self.store.breaker_in(connection, system)
        if answer.result in (Result.OK, Result.REFUSED):
            if failures:
                self.store.set_breaker(connection, system, 0, None)
            return
        failures += 1
        pauses = [] if open_until is None else [open_until]
        if failures >= BREAKER_FAILURES:
            pauses.append(now + BREAKER_PAUSE)
        if answer.code in _MEANS_THE_SENDER and answer.retry_after_seconds:
            pauses.append(now + min(timedelta(seconds=answer.retry_after_seconds), LONGEST_PAUSE))
        self.store.set_breaker(connection, system, failures, max(pauses, default=None))


def _code(error: Exception) -> str:
    """A stable code of a failed read."""
    if isinstance(error, SourceError):
        return error.kind
    if isinstance(error, PreconditionUnreadableError):
        return "precondition_unreadable"
    return "connector_error"


def _told(error: Exception) -> str:
    """What people read: our own errors speak for themselves, others need their type."""
    return str(error) if isinstance(error, TallymanError) else f"{type(error).__name__}: {error}"


def _overtaken(state: TargetState) -> str:
    return f"the target holds the new value already, and not from us: {_shown(state)}"


def _shown(state: TargetState) -> str:
    return json.dumps(dict(state.observed), default=str, sort_keys=True)
