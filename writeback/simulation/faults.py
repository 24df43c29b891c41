"""What may go wrong, as data, and the draw of a seed: which of it does, and how often."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """One way of going wrong. ``rate`` is the chance at each opportunity, in a story that has the
    family on."""

    name: str
    rate: float
    meaning: str


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        # The network.
        Family("lost_request", 0.12, "the request never arrives; the sender times out"),
        Family("lost_answer", 0.12, "the effect happens; the answer is lost"),
        Family("late_request", 0.10, "the request arrives after the sender gave up"),
        Family("unreachable", 0.08, "no connection"),
        Family("slow_target", 0.04, "the answer takes longer than the lease"),
        Family("outage", 0.15, "a system is down for a while, one after the other"),
        # Answers.
        Family("rate_limited", 0.20, "429 with a Retry-After of any form, or none"),
        Family("unavailable", 0.15, "503 with a Retry-After of any form, or none"),
        Family("error_before_effect", 0.06, "500, and nothing was applied"),
        Family("error_after_effect", 0.10, "500, or a 502 page of a proxy, and it was"),
        Family("redirected", 0.03, "3xx in answer to a write"),
        Family("garbled_answer", 0.05, "200 with a body that is cut, no JSON or empty"),
        Family("lying_yes", 0.08, "200, and nothing was applied"),
        Family("dropped_field", 0.08, "200, the record is touched, the field is not"),
        Family("applied_twice", 0.08, "the target applies one request twice"),
        Family("reverted_later", 0.05, "the target takes the change back by itself"),
        Family("spurious_conflict", 0.04, "412 without a reason"),
        Family("in_progress", 0.04, "409 while an earlier request is still at work"),
        Family("key_forgotten", 0.20, "the target forgets idempotency keys"),
        Family("refused", 0.10, "422: a business rule says no until a person mends it"),
        Family("closed_object", 0.04, "423: somebody has the object open"),
        Family("unauthorised", 0.03, "401 or 403: credentials expired"),
        # Others who write.
        Family("human_edit_before_push", 0.25, "a person edits between load and push"),
        Family("human_edit_in_push", 0.08, "a person edits between our read and our write"),
        Family("human_edit_after_push", 0.08, "a person edits between push and proof"),
        Family("authority_moves", 0.25, "the authority changes while a correction waits"),
        Family("rival_system", 0.25, "another system puts its old value back each time"),
        Family("two_operators", 0.35, "two people decide about one correction at once"),
        Family("stale_operator", 0.50, "a person approves what was shown, not what is"),
        # Ourselves.
        Family("crash", 0.012, "SIGKILL at any step, also between send and mark"),
        Family("pause", 0.006, "a process stops for longer than its lease, and goes on"),
        Family("store_full", 0.003, "the disk of the store is full: a commit fails"),
        Family("second_dispatcher", 0.30, "two dispatchers at once"),
        Family("lost_wakeup", 0.15, "the sensor's tick is lost"),
        Family("restart", 0.05, "the store is closed and opened again"),
        Family("clock_step", 0.10, "our clock jumps by up to an hour, either way"),
        # What we see.
        Family("partial_extraction", 0.06, "an extraction breaks off: not complete"),
        Family("late_extraction", 0.10, "an extraction takes an hour"),
        Family("stale_extraction", 0.15, "a feed shows the past of its settle window"),
        Family("stale_read", 0.10, "a point read comes from a copy some seconds behind"),
        Family("unreadable", 0.06, "a point read fails"),
        Family("duplicate_proposals", 0.20, "the same proposals arrive again"),
        Family("old_build", 0.10, "the proposals and proofs of an older build come last"),
        Family("echo", 0.15, "our own write comes back as news of the other system"),
        Family("conflicting_proposals", 0.06, "two rules want two values for one object"),
        Family("changed_proposal", 0.35, "the content changes while a person decides"),
        Family("bad_load", 0.05, "a feed loads nonsense: drift everywhere"),
        Family("withdrawn_exception", 0.05, "late data show that there was no drift"),
        Family("wrong_verdict", 0.10, "a model claims a proof that its evidence contradicts"),
        Family("gate_failed", 0.05, "a gate fails, or the checks crash"),
        Family("kill_switch", 0.06, "a person stops all sending"),
    )
}
# Each family is on in about half of the stories: then pairs of faults meet in every combination.
SHARE_OF_STORIES = 0.5


class Faults:
    """The faults of one story. ``on`` ends with the safety phase."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        heat = rng.choice((0.5, 1.0, 1.0, 2.0))
        self._rates = {
            name: family.rate * heat
            for name, family in FAMILIES.items()
            if rng.random() < SHARE_OF_STORIES
        }
        self.fired: Counter[str] = Counter()
        self.crash_points: Counter[str] = Counter()
        self.on = True

    def hit(self, name: str) -> bool:
        """Whether this fault happens at this opportunity; counts it."""
        if not self.on:
            return False
        rate = self._rates.get(name)
        if rate is None or self._rng.random() >= rate:
            return False
        self.fired[name] += 1
        return True

    def has(self, name: str) -> bool:
        """Whether the story has the family, for faults that are planned and not drawn each time."""
        return self.on and name in self._rates
