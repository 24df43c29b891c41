"""The judge: every property is checked against the truth and the ledgers, never our own tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from connectors.base import Outcome, Result
from writeback.decide import RetrySchedule
from writeback.dispatch import BREAKER_FAILURES, BREAKER_PAUSE, LONGEST_PAUSE
from writeback.propose import PING_PONG_LIMIT, PING_PONG_WINDOW, EnqueueResult, idempotency_key
from writeback.simulation.systems import Arrival, Effect, Item, TargetSystem, old_and_new
from writeback.states import NEEDS_A_PERSON, State

if TYPE_CHECKING:
    from writeback.model import Correction
    from writeback.simulation.story import Story

# The property names of the figures, and what each says.
PROPERTIES = {
    "lost": "no drift is left without a person who knows of it, and none half mended",
    "doubled": "one key has at most one effect, and one fact is created once",
    "false": "nothing is sent that the authority did not say within a lease before",
    "overwritten": "an effect replaces the value that the correction expected, and no other",
    "unverified_claims": "verified means that the target held the value after it accepted",
    "unapproved": "what needed a person was agreed to by one, with the very content that was sent",
    "stopped": "nothing is sent while the kill switch is on or a gate that it relies on is closed",
    "impatient": "Retry-After is never shortened, and a target that failed in a row is left alone",
    "greedy": "a correction is sent at most as often as the schedule allows",
    "stuck": "after the faults everything comes to rest",
    "broken": "the engine raises nothing that it does not explain, and its audit chain is whole",
}
ATTEMPTS = RetrySchedule().max_attempts


@dataclass(frozen=True)
class Violation:
    """A property that does not hold, and when."""

    property: str
    at: float
    what: str


class Oracle:
    """Sees every request and every effect of one story."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.violations: list[Violation] = []
        self.requests: Counter[str] = Counter()
        self.not_before: dict[str, tuple[float, float]] = {}
        self.refused: set[str] = set()
        self.target_not_before: dict[str, tuple[float, float]] = {}
        self.told: dict[str, tuple[str, str, Result, float]] = {}
        self.told_to_wait: dict[str, tuple[str, float, float]] = {}
        self.heard_late: dict[str, tuple[str, float, float]] = {}
        self.failures: dict[str, list[float]] = defaultdict(list)
        self.approved_content: dict[str, set[str]] = defaultdict(set)
        self.rejected_drifts: dict[str, datetime] = {}
        self.kill_switch: list[tuple[float, bool]] = [(0.0, False)]
        self.gates: dict[str, list[tuple[float, bool]]] = defaultdict(list)
        self.verified: set[str] = set()

    def report(self, name: str, what: str) -> None:
        self.violations.append(Violation(name, self.story.now, what))
        self.story.tell("VIOLATION", f"{name}: {what}")

    # ---- what is sent ----------------------------------------------------------------------

    def sent(self, target: TargetSystem, item: Item, arrival: Arrival) -> None:
        """A request leaves."""
        story, now, request = self.story, self.story.now, arrival.request
        story.tell("sends", f"{arrival.key[:12]} {item.object_id} {dict(request.payload)}")
        window = story.lease_seconds + 10.0
        story.requests[request.idempotency_key] = request
        self._check_switches(target, now, window, arrival.undo)
        if arrival.undo:
            return
        self.requests[arrival.key] += 1
        if self.requests[arrival.key] > ATTEMPTS + story.zombies:
            self.report("greedy", f"{arrival.key} was sent {self.requests[arrival.key]} times")
        _, new = old_and_new(request)
        if not item.authority.held_within(new, now - window, now):
            self.report(
                "false",
                f"{item.object_id}: {new} is sent, the authority holds {item.authority.at(now)}",
            )
        if arrival.key in self.refused:
            self.report("greedy", f"{arrival.key} was refused and is sent again unchanged")
        since, demanded = self.not_before.get(arrival.key, (0.0, 0.0))
        if now < demanded - 2 and story.last_clock_step <= since:
            self.report("impatient", f"{arrival.key} was to wait {demanded - now:.0f} s more")
        self._check_breaker(target, now)
        self._check_approval(target, item, arrival)

    def answered(self, target: TargetSystem, arrival: Arrival, outcome: Outcome) -> None:
        """What a process is told; the engine knows it once the process has stored it."""
        process = self.story.schedule.current
        if process is not None and not arrival.undo:
            self.told[process.name] = (target.name, arrival.key, outcome.result, self.story.now)

    def asked_to_wait(self, process: str, key: str, seconds: float) -> None:
        """A target asked for patience; known to the engine once the process has stored it."""
        self.told_to_wait[process] = (key, self.story.now, self.story.now + seconds)

    def learnt(self, process: str, correction_key: str) -> None:
        """A process stored what came of a correction: from now on the engine must heed what the
        target said."""
        proposal, _, generation = correction_key.rpartition("-")
        key = idempotency_key(proposal, int(generation))
        answer = self.told.pop(process, None)
        if answer is not None and answer[1] == key:
            target, refused, outcome, at = answer
            if outcome is Result.REFUSED:
                self.refused.add(refused)
            if outcome in (Result.OK, Result.REFUSED):
                self.failures[target].clear()
            else:
                self.failures[target].append(at)
        told = self.told_to_wait.pop(process, None)
        if told is not None and told[0] == key:
            _, since, until = told
            self.not_before[key] = (since, until)
            self._target_waits(told)

    def lost_lease(self, process: str) -> None:
        """What a process learns of a correction that somebody else has by now it may not store;
        what it learnt of the target it must."""
        self.told.pop(process, None)
        if process in self.told_to_wait:
            self.heard_late[process] = self.told_to_wait.pop(process)

    def stored(self, process: str) -> None:
        """A process committed something."""
        if process in self.heard_late:
            self._target_waits(self.heard_late.pop(process))

    def _target_waits(self, told: tuple[str, float, float]) -> None:
        key, since, until = told
        target = self.story.truth.items[self.story.requests[key].object_id].target
        pause = LONGEST_PAUSE.total_seconds()
        self.target_not_before[target] = (since, min(until, since + pause))

    def _check_switches(self, target: TargetSystem, now: float, window: float, undo: bool) -> None:
        """An undo is a person's word, so that only the kill switch stops it."""
        if _true_throughout(self.kill_switch, now - window, now):
            self.report("stopped", f"a request to {target.name} while the kill switch is on")
        for system in () if undo else (target.name, "hub"):
            if _true_throughout(self.gates[system], now - window, now):
                self.report("stopped", f"a request while the gate of {system} is closed")

    def _check_breaker(self, target: TargetSystem, now: float) -> None:
        """One dispatcher alone; two may each have a request under way when the fifth fails."""
        failures, story = self.failures[target.name], self.story
        since, until = self.target_not_before.get(target.name, (0.0, 0.0))
        if now < until - 2 and story.last_clock_step <= since and not story.ever_two_dispatchers:
            self.report("impatient", f"{target.name} was to be left alone {until - now:.0f} s more")
        if len(failures) < BREAKER_FAILURES or story.ever_two_dispatchers:
            return
        pause = BREAKER_PAUSE.total_seconds()
        if now < failures[-1] + pause - 1 and story.last_clock_step <= failures[-1]:
            self.report(
                "impatient", f"{target.name} failed {len(failures)} times in a row and is asked on"
            )

    def _check_approval(self, target: TargetSystem, item: Item, arrival: Arrival) -> None:
        """By value; and when an object was corrected again and again within a day."""
        key, payload = arrival.request.idempotency_key, repr(arrival.request.payload)
        if payload in self.approved_content[key]:
            return
        if self.story.warehouse.needs_approval(arrival.request):
            self.report("unapproved", f"{key} was sent without approval of its content")
        rejected = self.rejected_drifts.get(self.story.warehouse.drift_of(item.object_id))
        if rejected is not None and arrival.request.created_at > rejected:
            self.report("unapproved", f"{item.object_id}: a person said no to this drift before")
        recent = {
            effect.key
            for effect in target.ledger
            if effect.object_id == item.object_id
            and not effect.undo
            and effect.at > self.story.now - PING_PONG_WINDOW.total_seconds()
        }
        # One may have been judged while its predecessor was still under way.
        if len(recent - {arrival.key}) > PING_PONG_LIMIT + 1:
            self.report("unapproved", f"{item.object_id} is corrected again and again")

    def taken_up(self, result: EnqueueResult) -> None:
        """What became of a build's proposals: too many at once wait for a person, all of them."""
        limit = self.story.policy.max_corrections_per_run
        if result.new > limit and result.held < result.new:
            self.report("unapproved", f"{result.new} new corrections at once, not all are held")

    # ---- what came of it -------------------------------------------------------------------

    def approved(self, correction: Correction) -> None:
        """A person agreed to what this correction holds now."""
        self.approved_content[correction.idempotency_key].add(repr(correction.payload))

    def rejected(self, correction: Correction) -> None:
        """A person said no; what is proposed of that drift from now on needs their word."""
        for drift in correction.obligation_ids:
            self.rejected_drifts.setdefault(drift, self.story.clock.now())

    def check_effects(self) -> None:
        """Over the ledgers: once a key, never over another value, no fact twice."""
        story = self.story
        last: dict[str, Effect] = {}
        extra: list[str] = []
        for effect in story.truth.effects():
            item = story.truth.items[effect.object_id]
            before = last.get(effect.key)
            last[effect.key] = effect
            if before is not None:
                if not _undone_by_others(item, before, effect):
                    extra.append(effect.key)
                continue
            old, new = old_and_new(story.requests[effect.key.removesuffix("-undo")])
            expected = new if effect.undo else old
            # Who sets the value that is there already replaces none.
            kept = {expected, effect.after}
            if item.kind != "create_invoice" and effect.before not in kept:
                self.report(
                    "overwritten", f"{effect.key} replaced {effect.before}, expected {expected}"
                )
        by_target = sum(item.doubled_by_target for item in story.truth.items.values())
        if len(extra) > by_target:
            self.report("doubled", f"{extra}, of which {by_target} by the target itself")
        for item in story.truth.items.values():
            if item.kind == "create_invoice" and len(item.keys) > 1:
                self.report("doubled", f"{item.object_id} was created under {sorted(item.keys)}")

    def check_verified(self, corrections: list[Correction]) -> None:
        """Each claim of the engine against what the target held since it accepted."""
        story = self.story
        for correction in corrections:
            if correction.state is not State.VERIFIED or correction.correction_key in self.verified:
                continue
            self.verified.add(correction.correction_key)
            item = story.truth.items[correction.object_id]
            accepted = story.accepted_at.get(correction.correction_key, 0.0)
            _, new = old_and_new(correction.request())
            if correction.kind == "update_quantity":
                held = item.copy.held_within(new, accepted, story.now)
            else:
                # A balance moves on; the document or movement under our key is the effect.
                held = any(
                    effect.key == correction.idempotency_key
                    for effect in story.truth.targets[item.target].ledger
                )
            if not held:
                self.report(
                    "unverified_claims", f"{correction.correction_key} is verified and never held"
                )

    def check_rest(self, corrections: list[Correction]) -> list[str]:
        """What keeps the story from being at rest; empty when it is."""
        story = self.story
        restless = [
            f"{c.object_id} is {c.state}: {c.state_reason}"
            for c in corrections
            if c.state in (State.READY, State.SENDING, State.UNKNOWN, State.ACCEPTED)
        ]
        known = {
            c.object_id
            for c in corrections
            if c.state in NEEDS_A_PERSON or (c.state is State.REJECTED and c.withdrawn_at is None)
        }
        restless += [
            f"{item.object_id} drifts: {item.authority.value} and {item.copy.value}"
            for item in story.truth.items.values()
            if item.drifts and item.object_id not in known
        ]
        return restless


def _undone_by_others(item: Item, first: Effect, second: Effect) -> bool:
    """A target without a memory of keys can't tell a value that was set and put back from one that
    was never set: setting it again mends a new drift (docs/corrections.md, what remains)."""
    return item.kind == "update_quantity" and any(
        first.at < at < second.at and who not in ("tallyman", "undo")
        for at, _, who in item.copy.past
    )


def _true_throughout(changes: list[tuple[float, bool]], start: float, end: float) -> bool:
    """Whether a switch was on during a whole interval."""
    on = False
    for moment, value in changes:
        if moment <= start:
            on = value
        elif moment <= end and not value:
            return False
    return on
