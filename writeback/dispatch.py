"""Delivery: lease what is due, look at both systems, send once, and write down what came of it."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy.engine import Connection

from connectors.base import (
    BatchTarget,
    CorrectionRequest,
    Outcome,
    Result,
    Source,
    SourceError,
    Target,
    TargetState,
)
from connectors.deadlines import Deadline
from connectors.looks import one_look
from registry.crash_points import crash_point
from registry.errors import TallymanError
from registry.systems import Policy
from writeback import decide
from writeback.allowances import learn, tell
from writeback.approval import APPROVAL_LIFETIME
from writeback.brakes import Conditions
from writeback.canonical import canonical_json
from writeback.clock import Clock, Rng, new_token
from writeback.decide import Decision, RetrySchedule
from writeback.model import Correction
from writeback.periods import period_reason
from writeback.preconditions import PreconditionUnreadableError, first_broken
from writeback.propose import HOLD_PERIOD, amount, approval_reason
from writeback.states import Event, State, destination
from writeback.store import AttemptEntry, LeaseLostError, OperationsStore

# After this many technical failures in a row a target is left alone; then one probe at a time.
BREAKER_FAILURES = 5
BREAKER_PAUSE = timedelta(seconds=60)
# Retry-After of an answer that is about the sender and not about one record holds for all that goes
# to the target, up to this long: a typing error there must not stop it for a day.
LONGEST_PAUSE = timedelta(hours=1)
_MEANS_THE_SENDER = frozenset({"rate_limited", "unavailable", "server_error"})
# It does not know us: each further try is a failed log-in, and a few of those lock the account.
_STRANGERS = "unauthorised"
# Failed looks at a target that say that it is not well, or wants none of us, and not that we asked
# wrongly.
_FAILED_LOOKS = frozenset(
    {"unreachable", "timeout", "server_error", "rate_limited", "bad_page", _STRANGERS}
)
# Those of them that may have taken minutes: nothing answered.
_SILENCE = frozenset({"unreachable", "timeout"})
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
    for all; ``closed_gates``, ``open_breakers``, ``paused`` and, for who was given no target,
    ``left_out``: for one system (system -> reason).
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
    left_out: dict[str, str] = field(default_factory=dict)

    def add(self, other: DeliveryReport) -> None:
        """Take up what another worker of the same call counted."""
        for name, value in asdict(other).items():
            mine = getattr(self, name)
            if isinstance(value, int):
                setattr(self, name, mine + value)
            elif isinstance(value, dict):
                mine.update(value)
            else:
                setattr(self, name, mine or value)

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

    A target with ``write_threads`` above 1 is served by so many workers at once, each with leases
    of its own: the time that one waits for an answer or for the disk is another's. ``rng`` is then
    drawn from by several threads.
    """
    settings = settings or DeliverySettings()
    wait = timedelta(seconds=settings.schedule.delays_seconds[0])
    report = DeliveryReport(abandoned=len(store.expire_leases(clock.now(), wait)))
    crash_point("writeback.after_expiry")
    rooms = _Rooms(batch_limit)
    workers = max((target.system.write_threads for target in targets.values()), default=1)

    def work(number: int) -> DeliveryReport:
        served = {n: t for n, t in targets.items() if t.system.write_threads > number}
        worker = _Delivery(store, served, sources, policy, clock, rng, settings, rooms)
        if number == 0:
            worker.rehearse(batch_limit)
        return worker.run(probes=number == 0)

    if workers == 1:
        report.add(work(0))
        return report
    with ThreadPoolExecutor(workers, thread_name_prefix="delivery") as pool:
        futures = [pool.submit(work, number) for number in range(workers)]
        for future in as_completed(futures):
            if future.exception() is not None:
                rooms.close()
    for future in futures:
        report.add(future.result())
    return report


class _Rooms:
    """How many corrections the workers of one call may still take."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._lock = threading.Lock()

    def take(self, wanted: int) -> int:
        with self._lock:
            taken = max(0, min(wanted, self._left))
            self._left -= taken
            return taken

    def give_back(self, unused: int) -> None:
        with self._lock:
            self._left += unused

    def close(self) -> None:
        """One of the workers failed: the others finish what they have and take no more."""
        with self._lock:
            self._left = -sys.maxsize


class _Delivery:
    """A worker of one call of ``deliver_due``, and the targets that it serves."""

    def __init__(
        self,
        store: OperationsStore,
        targets: Mapping[str, Target],
        sources: Mapping[str, Source],
        policy: Policy,
        clock: Clock,
        rng: Rng,
        settings: DeliverySettings,
        rooms: _Rooms,
    ) -> None:
        self.store = store
        self.targets = targets
        self.sources = sources
        self.policy = policy
        self.clock = clock
        self.rng = rng
        self.settings = settings
        self.rooms = rooms
        self.report = DeliveryReport()
        # Until when targets that failed during the present lease are not asked.
        self.left_alone: dict[str, datetime] = {}
        # The end of the present lease.
        self.deadline = Deadline.after(settings.lease, clock)
        self.writable = [
            name for name, target in sorted(targets.items()) if target.system.write_mode == "on"
        ]

    def rehearse(self, limit: int) -> None:
        """What would be sent to the targets that are in dry run."""
        for name, target in sorted(self.targets.items()):
            if target.system.write_mode == "dry_run":
                self._rehearse(name, limit)

    def run(self, probes: bool) -> DeliveryReport:
        """Work until nothing is due or the call's limit is reached. ``probes``: whether this is
        the worker that tries a target again that had failed; the others wait for its answer."""
        store, report = self.store, self.report
        while (room := self.rooms.take(self.settings.rows_a_lease)) > 0:
            conditions = store.conditions(self.writable)
            report.stopped = conditions.stopped
            for name in self.writable:
                learn(self.targets[name], conditions.allowances.get(name), self.clock.now())
            leased = [] if report.stopped is not None else self._lease(conditions, room, probes)
            self.rooms.give_back(room - len(leased))
            if not leased:
                break
            report.leased += len(leased)
            crash_point("writeback.after_lease")
            # A target that hangs may cost a look the whole lease: first what goes to others.
            for group in self._requests([c for c in leased if c.state is not State.UNKNOWN]):
                self._deliver(group)
            for correction in leased:
                if correction.state is State.UNKNOWN:
                    self._unless_lost(self._resolve, correction)
        return report

    def _unless_lost(self, step: Callable[[Correction], Any], correction: Correction) -> Any:
        """What a step returned, or None when somebody else has the correction by now: they read
        the target first, and what we learnt is not needed."""
        try:
            return step(correction)
        except LeaseLostError:
            self.report.lost_leases += 1
            return None

    def _requests(self, leased: Sequence[Correction]) -> list[list[Correction]]:
        """What goes out together: several of a kind in one request where the target takes it so,
        and none of them was tried before. What failed once is tried alone, so that it spoils the
        request for nobody else."""
        groups: list[list[Correction]] = []
        open_groups: dict[tuple[str, str], list[Correction]] = {}
        for correction in leased:
            target = self.targets[correction.target_system]
            most = target.batches.get(correction.kind, 1) if isinstance(target, BatchTarget) else 1
            place = (correction.target_system, correction.kind)
            group = open_groups.get(place)
            alone = most < 2 or correction.attempts
            if group is not None and not alone and len(group) < most:
                group.append(correction)
                continue
            groups.append([correction])
            if not alone:
                open_groups[place] = groups[-1]
        return groups

    # ---- choosing --------------------------------------------------------------------------

    def _lease(self, conditions: Conditions, limit: int, probes: bool) -> list[Correction]:
        # By both clocks: another process takes over by the time of day, which can be set back.
        self.deadline = Deadline.after(self.settings.lease, self.clock)
        # The store knows what other workers heard of a target since.
        self.left_alone.clear()
        now = self.clock.now()
        limits: dict[str, int] = {}
        readable: list[str] = []
        self.report.paused |= conditions.paused
        for name in sorted(self.targets):
            failures, open_until = conditions.breakers.get(name, (0, None))
            if open_until is not None and now < open_until:
                self.report.open_breakers[name] = f"{failures} failures in a row"
                continue
            fails = failures >= BREAKER_FAILURES
            if fails and not probes:
                continue
            readable.append(name)
            if name in self.writable and name not in conditions.paused:
                limits[name] = 1 if fails else limit
        for name, gate in conditions.closed.items():
            self.report.closed_gates[name] = f"{gate.outcome}: {gate.reason}"
        return list(
            self.store.lease(
                limits,
                readable,
                now,
                self.deadline.before,
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

    def _deliver(self, group: Sequence[Correction]) -> None:
        """Send what may go of a group in one request, and give each its own outcome."""
        for check in (self._still_applies, self._may_leave):
            group = [c for c in group if self._unless_lost(check, c)]
        if group:
            self._send(group, self.targets[group[0].target_system])

    def _still_applies(self, correction: Correction) -> bool:
        """Whether it is to be sent by what is read now; else it is settled or put off."""
        target = self.targets[correction.target_system]
        if self._is_left_alone(correction) or self._hold_if_unapproved(correction):
            return False
        if correction.kind not in target.kinds:
            known = ", ".join(sorted(target.kinds))
            reason = f"kind_not_supported: '{correction.target_system}' takes only {known}"
            self._settle(correction, Decision(Event.REFUSE, reason))
            return False
        started = self.clock.now()
        crash_point("writeback.before_look")
        try:
            with one_look():
                verdict = self._look_before_sending(correction, target)
        except LeaseLostError:
            raise
        except _TargetUnreadError as error:
            self._put_off_unread(correction, error.cause, started, target_failed=True)
            return False
        except Exception as error:
            # Also what a connector did not foresee: one odd record must not stop the others.
            self._put_off_unread(correction, error, started)
            return False
        crash_point("writeback.after_look")
        if verdict is not None:
            self._settle(correction, *verdict)
            return False
        return True

    def _is_left_alone(self, correction: Correction) -> bool:
        """Whether its target failed so often during this lease that it is not even read."""
        now, system = self.clock.now(), correction.target_system
        until = self.left_alone.get(system)
        if until is None or now >= until:
            return False
        self._settle(correction, Decision(Event.POSTPONE, f"released: '{system}' fails", now))
        return True

    def _may_leave(self, correction: Correction) -> bool:
        """The last look at lease, gates and switches, right before the request."""
        refusal = self.store.may_still_send(correction, self.clock.now())
        if refusal is None and self.deadline.is_within(self.settings.send_margin):
            refusal = "released: the lease was nearly over"
        if refusal is not None:
            # Nothing was tried: no attempt is counted.
            decision = Decision(Event.POSTPONE, refusal, self.clock.now())
            self._settle(correction, decision)
            return False
        return True

    def _hold_if_unapproved(self, correction: Correction) -> bool:
        now = self.clock.now()
        codes = correction.hold_codes
        closed = period_reason(
            self.policy, correction.target_system, correction.kind, correction.payload, now
        )
        if closed is not None and HOLD_PERIOD not in codes:
            # The books closed since it was proposed, or since somebody agreed to it.
            reason, codes = closed, sorted([*codes, HOLD_PERIOD])
        elif correction.content_hash() != correction.payload_hash:
            reason = "its content is not what was proposed: look before you approve"
        elif correction.is_approved(now):
            alone = self._only_approver(correction, now)
            if alone is None:
                return False
            case = f"above {amount(self.policy.four_eyes_above or 0)}"
            if correction.value_at_risk is None:
                case = "without a known value"
            reason = f"{alone} agreed; {case} a second person must"
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
            hold_codes=codes,
            approved_hash=None,
            approved_until=None,
        )
        return True

    def _only_approver(self, correction: Correction, now: datetime) -> str | None:
        """Who agreed, when the policy wants a second person and there was none; else None."""
        limit, value = self.policy.four_eyes_above, correction.value_at_risk
        if limit is None:
            return None
        # Several currencies make no sum: what is worth nobody knows how much may be above it.
        if value is not None and abs(value) <= Decimal(str(limit)):
            return None
        people = self.store.approvers(correction, now - APPROVAL_LIFETIME)
        return None if len(people) > 1 else next(iter(people), "one person")

    def _look_before_sending(
        self, correction: Correction, target: Target
    ) -> tuple[Decision, str | None] | None:
        """None when it should be sent; else what became of it without sending, and the record."""
        try:
            state = target.read(correction.request())
        except SourceError as error:
            raise _TargetUnreadError(error) from error
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
        conditions = correction.preconditions
        if state.begun:
            # What they want of the target our own work has changed; that it may be finished, the
            # target has told.
            conditions = [c for c in conditions if c.get("system") != correction.target_system]
        broken = first_broken(conditions, self.sources)
        if broken is not None:
            return Decision(Event.FIND_STALE, f"precondition: {broken}"), None
        return None

    def _send(self, group: Sequence[Correction], target: Target) -> None:
        crash_point("writeback.before_send")
        started = self.clock.now()
        # What was read counts for as long as the lease: a request of a sender that was stopped
        # for longer must not leave.
        requests = [correction.request(self.deadline) for correction in group]
        outcomes = _asked(target, requests)
        crash_point("writeback.after_send_before_mark")
        ended = self.clock.now()
        # One request tells once how the target is, whatever it says of each item.
        tells = next((c for c in group if outcomes[c.idempotency_key].is_an_answer), group[0])
        for correction in group:
            self.report.sent += 1
            outcome = outcomes[correction.idempotency_key]
            self._unless_lost(
                partial(
                    self._mark, outcome=outcome, span=(started, ended), tells=correction is tells
                ),
                correction,
            )

    def _mark(
        self,
        correction: Correction,
        outcome: Outcome,
        span: tuple[datetime, datetime],
        tells: bool,
    ) -> None:
        """Write down what came of a request. ``tells``: whether the breaker counts it."""
        started, ended = span
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
            # What the next look finds done is ours then, though the target said no.
            perhaps = {"possibly_sent": True} if outcome.perhaps_applied else {}
            self._settle(
                correction,
                decision,
                outcome.target_record_id,
                entry=entry,
                answer=outcome if tells else None,
                **perhaps,
            )
        except LeaseLostError:
            # The history must show the request although another dispatcher resolves it by reading,
            # and what the target said of itself is true whoever has the correction.
            with self.store.write() as connection:
                self.store.log_attempt(connection, correction, number, entry)
                if tells:
                    self._keep_breaker(connection, correction.target_system, outcome, ended)
            raise
        crash_point("writeback.after_mark")

    def _put_off_unread(
        self,
        correction: Correction,
        error: Exception,
        started: datetime,
        target_failed: bool = False,
    ) -> None:
        """``target_failed``: the target could not be read; else a source, or the code is wrong."""
        now = self.clock.now()
        answer = _failed_look(error) if target_failed else None
        # While it does not know us nothing can come of any correction: that spends no attempt.
        counts = answer is None or answer.code != _STRANGERS
        number = correction.attempts + counts
        reason = f"not sent, because it could not be checked: {_told(error)}"
        wish = error.retry_after if isinstance(error, SourceError) else None
        schedule = self.settings.schedule
        decision = decide.after_failure(reason, max(number, 1), now, self.rng, schedule, wish)
        entry = AttemptEntry("check", "retry", _code(error), started, now, message=_told(error))
        self._settle(correction, decision, entry=entry, counts=counts, answer=answer)

    # ---- resolving -------------------------------------------------------------------------

    def _resolve(self, correction: Correction) -> None:
        """Find out by reading what became of an unknown one; nothing is sent here."""
        system = correction.target_system
        target = self.targets[system]
        started = self.clock.now()
        failures = correction.attempts + self.store.failed_looks(correction)
        schedule = self.settings.schedule
        if started < self.left_alone.get(system, started):
            reason = f"'{system}' fails"
            decision = decide.after_failed_read(reason, failures, started, self.rng, schedule)
            self._settle(correction, decision)
            return
        crash_point("writeback.before_read_back")
        try:
            state = target.read(correction.request())
        except Exception as error:
            now = self.clock.now()
            told = _told(error)
            answer = _failed_look(error)
            wish = None if answer is None else answer.retry_after_seconds
            decision = decide.after_failed_read(told, failures + 1, now, self.rng, schedule, wish)
            if _code(error) in _SILENCE:
                # The others of the lease would wait as long for no answer.
                self.left_alone[system] = self.deadline.before
            entry = AttemptEntry("read", "unknown", _code(error), started, now, message=told)
            self._settle(correction, decision, entry=entry, counts=False, answer=answer)
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
            shown = "begun and not finished" if state.begun else "not applied"
            reason = f"a read shows that it is {shown}"
            decision = decide.after_absent(reason, correction.attempts, now, schedule)
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
        target answered to a request, or that a look at it failed; None when it was not asked.
        """
        now = self.clock.now()
        number = correction.attempts + (1 if entry is not None and counts else 0)
        if decision.event is Event.ACCEPT:
            values["accepted_at"] = now
        if decision.event is Event.LOSE:
            values["possibly_sent"] = True
        if target_record_id is not None:
            values["target_record_id"] = target_record_id

        def write(connection: Connection) -> None:
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
            system = correction.target_system
            if answer is not None:
                self._keep_breaker(connection, system, answer, now)
            tell(self.store, connection, system, self.targets[system], now)
            crash_point("writeback.during_mark")

        self.store.write_together(write)
        crash_point("writeback.after_settlement")
        self.report.count(decision.event)

    def _keep_breaker(
        self, connection: Connection, system: str, answer: Outcome, now: datetime
    ) -> None:
        """The state is the store's: other dispatchers ask the same target, and restarts forget."""
        failures, open_until = self.store.breaker_in(connection, system)
        strangers = answer.code == _STRANGERS
        if answer.is_an_answer and not strangers:
            if failures:
                self.store.set_breaker(connection, system, 0, None)
            return
        failures = max(failures + 1, BREAKER_FAILURES if strangers else 0)
        pauses = [] if open_until is None else [open_until]
        if strangers:
            pauses.append(now + LONGEST_PAUSE)
        if failures >= BREAKER_FAILURES:
            pauses.append(now + BREAKER_PAUSE)
        if answer.code in _MEANS_THE_SENDER and answer.retry_after_seconds:
            pauses.append(now + min(timedelta(seconds=answer.retry_after_seconds), LONGEST_PAUSE))
        self.store.set_breaker(connection, system, failures, max(pauses, default=None))
        if pauses:
            self.left_alone[system] = max(pauses)


def _asked(target: Target, requests: Sequence[CorrectionRequest]) -> Mapping[str, Outcome]:
    """Send, and say what came of each, by its key. An item of which the target says nothing is
    unknown, and so is what a connector breaks on: nobody knows how far the request came."""
    try:
        if len(requests) == 1:
            return {requests[0].idempotency_key: target.apply(requests[0])}
        assert isinstance(target, BatchTarget)
        told = target.apply_batch(requests)
    except Exception as error:
        broken = Outcome(Result.UNKNOWN, "connector_error", f"{type(error).__name__}: {error}")
        return {request.idempotency_key: broken for request in requests}
    silence = Outcome(Result.UNKNOWN, "item_missing", "the answer says nothing of this item")
    return {r.idempotency_key: told.get(r.idempotency_key, silence) for r in requests}


class _TargetUnreadError(Exception):
    """The target itself could not be read, and not one of the sources."""

    def __init__(self, cause: SourceError) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _failed_look(error: Exception) -> Outcome | None:
    """What a failed look tells the breaker of the target; None when the target may be well."""
    if not isinstance(error, SourceError) or error.kind not in _FAILED_LOOKS:
        return None
    return Outcome(Result.RETRY, error.kind, retry_after_seconds=error.retry_after)


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
