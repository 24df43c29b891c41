"""The network between the engine and the systems: latency, loss, answers, and reads that are old.

A target does what a connector's target does: it looks at the record, compares, and writes once with
the version that it saw. Answers are judged by the connectors' own ``judge``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import httpx

from connectors.base import (
    CorrectionRequest,
    Outcome,
    Page,
    Record,
    Result,
    SourceError,
    TargetState,
)
from connectors.corrections import already_undone, conflict, deadline_passed, judge
from registry.systems import System
from writeback.simulation.schedule import EPOCH
from writeback.simulation.systems import KINDS, Answer, Arrival, Item, TargetSystem, old_and_new

if TYPE_CHECKING:
    from writeback.simulation.story import Story

ANSWER_TIMEOUT = 30.0
# A request that its sender gave up arrives at most so much later where the target would then be
# defenceless (no keys, no versions): less than the engine's first delay before it reads back.
SHORT_LATENESS = 6.0
LONG_LATENESS = 600.0
STALENESS = 6.0  # seconds that a copy used for point reads may be behind
# How a target says when to come back; the usable forms more often.
RETRY_AFTER = (
    *("seconds", "date", "problem") * 2,
    *("none", "garbage", "negative", "huge"),
)
URL = httpx.Request("POST", "http://target/")


class SimulatedTarget:
    """Target of one simulated system (connectors.base.Target)."""

    kinds = frozenset(KINDS)

    def __init__(self, story: Story, target: TargetSystem) -> None:
        self.story = story
        self.target = target
        self.system = System(name=target.name, role="erp", connector="simulated", write_mode="on")

    def read(self, request: CorrectionRequest) -> TargetState:
        item, moment = self._look(request.object_id, "read")
        old, new = old_and_new(request)
        value = item.copy.at(moment)
        ours = item.keys.get(request.idempotency_key, moment + 1) <= moment
        if request.kind == "update_quantity":
            return TargetState(value == new, value == old, observed={"value": value})
        if request.kind == "create_invoice":
            return TargetState(value > 0, value == 0, ours if value else None, request.object_id)
        return TargetState(ours, value == old, ours, observed={"value": value})

    def apply(self, request: CorrectionRequest) -> Outcome:
        return self._write(request, undo=False)

    def undo(self, request: CorrectionRequest, target_record_id: str | None) -> Outcome:
        return self._write(request, undo=True)

    # ---- reading ---------------------------------------------------------------------------

    def _look(self, object_id: str, seam: str) -> tuple[Item, float]:
        """The item, and the moment of which the target tells."""
        story = self.story
        story.seam(f"target.{seam}")
        story.wait(story.rng.uniform(0.02, 0.4))
        down = story.now < self.target.down_until and story.rng.random() < 0.3
        if down or story.faults.hit("unreadable"):
            raise SourceError("timeout", f"{self.target.name} does not answer")
        moment = story.schedule.now
        if self.target.versions and story.faults.hit("stale_read"):
            moment -= story.rng.uniform(0.5, STALENESS)
        return self.target.items[object_id], moment

    # ---- writing ---------------------------------------------------------------------------

    def _write(self, request: CorrectionRequest, undo: bool) -> Outcome:
        story, target = self.story, self.target
        story.seam("target.undo" if undo else "target.apply", request.object_id)
        try:
            item, moment = self._look(request.object_id, "compare")
        except SourceError as error:
            return Outcome(Result.RETRY, error.kind, str(error))
        key = f"{request.idempotency_key}-undo" if undo else request.idempotency_key
        by_version = target.versions and item.kind != "create_invoice"
        arrival = Arrival(key, request, undo, item.version(moment) if by_version else None)
        held = item.copy.at(moment)
        if not _fits(item, request, held, undo):
            # The target has told what it holds: it is there and works, as after a no of its own.
            outcome = already_undone(None) if undo else conflict(f"holds {held}")
            story.oracle.answered(target, arrival, outcome)
            return outcome
        late = deadline_passed(request)
        if late is not None:
            return late
        story.oracle.sent(self.target, item, arrival)
        outcome = self._exchange(item, arrival)
        story.oracle.answered(self.target, arrival, outcome)
        story.tell("answer", f"{key[:12]} {outcome.result} {outcome.code}")
        return outcome

    def _exchange(self, item: Item, arrival: Arrival) -> Outcome:
        story, faults, rng, target = self.story, self.story.faults, self.story.rng, self.target
        there, back = rng.uniform(0.02, 1.0), rng.uniform(0.02, 1.0)
        if story.schedule.now < target.down_until:
            return self._judged(arrival, Answer(503, b'{"title": "Down"}'))
        if faults.hit("unreachable"):
            return Outcome(Result.RETRY, "unreachable", "connection refused")
        if faults.hit("lost_request"):
            return self._no_answer("the request was lost")
        if faults.hit("late_request"):
            safe = target.honours_keys or arrival.version is not None
            lateness = rng.uniform(0.1, LONG_LATENESS if safe else SHORT_LATENESS)
            story.schedule.after(
                ANSWER_TIMEOUT + lateness, lambda: self._arrive(item, arrival, careful=False)
            )
            return self._no_answer("the request is late")
        if arrival.version is not None and faults.hit("human_edit_in_push"):
            story.schedule.after(there / 2, lambda: story.people.edit(item))
        answers: list[Answer] = []
        story.schedule.after(there, lambda: answers.append(self._arrive(item, arrival)))
        if faults.hit("lost_answer"):
            return self._no_answer("the answer was lost")
        if faults.hit("slow_target"):
            back = story.lease_seconds * rng.uniform(1.1, 4)
        story.wait(there + back)
        return self._judged(arrival, answers[0])

    def _no_answer(self, why: str) -> Outcome:
        self.story.wait(ANSWER_TIMEOUT)
        return Outcome(Result.UNKNOWN, "no_answer", why)

    def _judged(self, arrival: Arrival, answer: Answer) -> Outcome:
        if answer.wait_seconds is not None and not arrival.undo:
            process = self.story.schedule.current
            if process is not None:
                self.story.oracle.asked_to_wait(process.name, arrival.key, answer.wait_seconds)
        response = httpx.Response(
            answer.status, content=answer.body, headers=dict(answer.headers), request=URL
        )
        return judge(response, lambda body: str(body["id"]))

    def _arrive(self, item: Item, arrival: Arrival, careful: bool = True) -> Answer:
        """The request reaches the target. ``careful``: the sender's own comparison was right
        before; between it and the write nobody else writes where no version would notice it (the
        window that docs/corrections.md admits)."""
        story, faults, target, now = self.story, self.story.faults, self.target, self.story.now
        story.tell("arrives", f"{arrival.key[:12]} {item.object_id} holds {item.copy.value}")
        refusal = self._refuse(item, arrival)
        if refusal is not None:
            return refusal
        if (
            careful
            and arrival.version is None
            and not _fits(item, arrival.request, item.copy.value, arrival.undo)
        ):
            return Answer(412, b'{"title": "changed meanwhile"}')
        if faults.hit("lying_yes"):
            return Answer(200, b'{"id": "1"}')
        if faults.hit("dropped_field"):
            item.touches.append(now)
            return Answer(200, b'{"id": "1"}')
        twice = item.kind != "update_quantity" and not arrival.undo and faults.hit("applied_twice")
        answer = target.apply(arrival, now, times=2 if twice else 1)
        if answer.status == 200:
            self._afterwards(item)
            if faults.hit("error_after_effect"):
                return story.rng.choice(
                    (Answer(500, b'{"title": "boom"}'), Answer(502, b"<html>Bad Gateway</html>"))
                )
            if faults.hit("garbled_answer"):
                return Answer(200, story.rng.choice((b'{"id": ', b"", b"<html>")))
        return answer

    def _refuse(self, item: Item, arrival: Arrival) -> Answer | None:
        """What the target may answer without doing anything."""
        story, faults, target = self.story, self.story.faults, self.target
        if story.now < target.closed_until.get(item.object_id, 0.0):
            return Answer(422, b'{"title": "The period is closed"}')
        if faults.hit("rate_limited"):
            return self._later(429)
        if faults.hit("unavailable"):
            return self._later(503)
        if faults.hit("error_before_effect"):
            return Answer(500, b'{"title": "boom"}')
        if faults.hit("spurious_conflict"):
            return Answer(412, b'{"title": "Precondition failed"}')
        if faults.hit("in_progress"):
            return Answer(409, b'{"title": "A request with this key is being processed"}')
        if faults.hit("closed_object"):
            return Answer(423, b'{"title": "Open in another session"}')
        if faults.hit("refused"):
            target.closed_until[item.object_id] = story.now + story.rng.uniform(600, 20_000)
            return Answer(422, b'{"title": "The period is closed"}')
        if faults.hit("unauthorised"):
            return Answer(story.rng.choice((401, 403)), b'{"title": "Token expired"}')
        if faults.hit("redirected"):
            return Answer(302, b"", {"Location": "http://elsewhere/"})
        return None

    def _afterwards(self, item: Item) -> None:
        """What other people and systems make of it, later."""
        story, faults, rng = self.story, self.story.faults, self.story.rng
        if faults.hit("reverted_later"):
            before = item.copy.past[-2][1]
            if item.kind == "update_quantity":
                story.schedule.after(
                    rng.uniform(60, 7200), lambda: story.people.write(item, before, "revert")
                )
        if faults.hit("human_edit_after_push"):
            story.schedule.after(rng.uniform(30, 3600), lambda: story.people.edit(item))
        if faults.has("rival_system") and item.kind == "update_quantity":
            before = item.copy.past[-2][1]
            story.schedule.after(rng.uniform(600, 5400), lambda: story.people.rival(item, before))

    def _later(self, status: int) -> Answer:
        """Not now, with a Retry-After of any form, or none that can be used."""
        story, rng = self.story, self.story.rng
        form = rng.choice(RETRY_AFTER)
        seconds: float = rng.choice((3, 60, 600, 4000))
        body = b'{"title": "Later"}'
        there = EPOCH + timedelta(seconds=int(story.now))
        headers = {"Date": format_datetime(there, usegmt=True)}
        match form:
            case "seconds":
                headers["Retry-After"] = str(seconds)
            case "date":
                wanted = there + timedelta(seconds=seconds)
                headers["Retry-After"] = format_datetime(wanted, usegmt=True)
            case "problem":
                body = b'{"title": "Later", "retry_after": %d}' % seconds
            case "garbage":
                headers["Retry-After"] = "soon"
            case "negative":
                headers["Retry-After"] = "-5"
            case "huge":
                headers["Retry-After"] = "99999999"
                seconds = 86_400
        asked = form in ("seconds", "date", "problem", "huge")
        return Answer(status, body, headers, seconds if asked else None)


def _fits(item: Item, request: CorrectionRequest, held: int, undo: bool) -> bool:
    """Whether the record is as the correction (or its inverse) expects."""
    old, new = old_and_new(request)
    if undo and item.kind == "create_invoice":
        return request.idempotency_key in item.keys and held > 0
    return held == (new if undo else old)


class SimulatedSource:
    """Point reads of one system (connectors.base.Source); extractions are the warehouse's."""

    entities = ("facts",)

    def __init__(self, story: Story, name: str, held: Callable[[str, float], int]) -> None:
        self.story = story
        self.held = held
        self.system = System(name=name, role="erp", connector="simulated")

    def probe(self) -> None:
        return None

    def pages(self, entity: str, cursor: str | None) -> Iterator[Page]:
        return iter(())

    def read_one(self, entity: str, key: Mapping[str, str]) -> list[Record]:
        story = self.story
        story.seam("source.read_one")
        story.wait(story.rng.uniform(0.02, 0.4))
        if story.faults.hit("unreadable"):
            raise SourceError("timeout", f"{self.system.name} does not answer")
        moment = story.now
        if story.faults.hit("stale_read"):
            moment -= story.rng.uniform(0.5, STALENESS)
        fields: dict[str, Any] = {
            "object": key["object"],
            "value": self.held(key["object"], moment),
        }
        return [Record(key["object"], fields, "")]
