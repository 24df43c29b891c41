"""Those who act beside the engine: business, people who edit, rival systems, and operators."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from registry.errors import TallymanError
from writeback.approval import approve, reject, retry
from writeback.model import Correction
from writeback.simulation.systems import Item
from writeback.states import State
from writeback.undo import undo

if TYPE_CHECKING:
    from writeback.simulation.story import Story

OPERATORS = ("maria", "jonas")
REPAIRABLE = (State.REFUSED, State.DEAD, State.UNPROVEN)


class People:
    """What they do is drawn by the seed; what they may do is for the engine to decide."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.shown: dict[str, str] = {}  # what an operator saw of a correction: its payload hash

    # ---- business --------------------------------------------------------------------------

    def business(self) -> None:
        """Something happens in the authority and does not arrive in the copy."""
        self.change(self.story.rng.choice(list(self.story.truth.items.values())))

    def change(self, item: Item) -> None:
        """The authority changes its mind about one object."""
        story, rng = self.story, self.story.rng
        if item.kind == "create_invoice":
            value = 1
        else:
            value = max(0, item.authority.value + rng.choice((-3, -2, -1, 1, 2, 3)))
        if value == item.authority.value:
            return
        item.authority.set(story.now, value, "business")
        story.tell("business", f"{item.object_id}: the authority holds {value}")
        if rng.random() < 0.3:
            self.write(item, value, "integration")

    def write(self, item: Item, value: int, who: str) -> None:
        """Somebody else changes the copy."""
        if item.kind == "create_invoice" and (item.copy.value or not item.authority.value):
            return  # nobody invoices twice, or what has not left
        if item.copy.value != value:
            item.write(self.story.now, value, who)
            self.story.tell(who, f"{item.object_id}: the copy holds {value}")

    def edit(self, item: Item) -> None:
        """A person mends the copy, or gives it another value on purpose."""
        rng = self.story.rng
        value = rng.choice((item.authority.value, item.copy.value + 1, item.copy.value - 1))
        self.write(item, max(0, value), "human")

    def rival(self, item: Item, value: int) -> None:
        """Another system puts its own value back."""
        if self.story.faults.hit("rival_system"):
            self.write(item, value, "rival")

    # ---- operators -------------------------------------------------------------------------

    def look(self) -> None:
        """An operator goes through the work list, and sometimes a second one at once."""
        story, rng, faults = self.story, self.story.rng, self.story.faults
        work = story.corrections()
        for correction in (c for c in work if c.state is State.AWAITING_APPROVAL):
            seen = self.shown.setdefault(correction.correction_key, correction.payload_hash)
            if rng.random() < 0.3:
                continue
            told = seen if faults.hit("stale_operator") else correction.payload_hash
            self._decide(correction, told, OPERATORS[0])
            if faults.hit("two_operators"):
                self._decide(correction, correction.payload_hash, OPERATORS[1])
        for correction in (c for c in work if c.state in REPAIRABLE):
            if rng.random() < 0.3:
                self._try(partial(self._retry, correction))
        done = [c for c in work if c.state in (State.VERIFIED, State.ACCEPTED, State.MOOT)]
        if done and rng.random() < 0.1:
            self.take_back(rng.choice(done))

    def _decide(self, correction: Correction, seen: str, actor: str) -> None:
        key = correction.correction_key
        if self.story.rng.random() < 0.12:
            self._reject(correction, actor)
            return
        self.story.tell("operator", f"{actor} approves {key[:12]} as shown ({seen[:8]})")
        if self._try(lambda: approve(self.story.store, key, actor, "yes", payload_hash=seen)):
            approved = self.story.store.get(key).correction
            if approved.payload_hash == seen:
                self.story.oracle.approved(approved)

    def _reject(self, correction: Correction, actor: str) -> None:
        key = correction.correction_key
        if self._try(lambda: reject(self.story.store, key, actor, "no")):
            self.story.oracle.rejected(correction)

    def _retry(self, correction: Correction) -> None:
        new_key = retry(self.story.store, correction.correction_key, OPERATORS[0], "again")
        self.story.tell("operator", f"tries {correction.correction_key[:12]} again")
        self.story.oracle.approved(self.story.store.get(new_key).correction)

    def take_back(self, correction: Correction) -> None:
        """Undo, as a process of its own: it sends."""
        story, key = self.story, correction.correction_key

        def body() -> None:
            self._try(
                lambda: undo(
                    story.store, story.simulated_targets, key, "maria", "", story.clock, story.rng
                )
            )

        story.tell("operator", f"takes {key[:12]} back")
        story.spawn("undo", body)

    def settle(self) -> None:
        """After the faults: decide whatever waits, so that only what was rejected stays."""
        story = self.story
        work = story.corrections()
        for correction in (c for c in work if c.state is State.AWAITING_APPROVAL):
            item = story.truth.items[correction.object_id]
            wanted = correction.new_value["value"] == item.authority.value
            key = correction.correction_key
            if not wanted:
                self._reject(correction, "maria")
            elif self._try(partial(approve, story.store, key, "maria", "yes")):
                story.oracle.approved(story.store.get(key).correction)
        for correction in (c for c in work if c.state in REPAIRABLE):
            if story.truth.items[correction.object_id].drifts:
                self._try(partial(self._retry, correction))
        for item in story.truth.items.values():
            if item.kind == "create_invoice" and item.copy.value > 1 and item.doubled_by_target:
                # The uniqueness rule would show it; a person voids the second.
                item.write(story.now, 1, "human")

    def _try(self, deed: Callable[[], object]) -> bool:
        """What the engine explains in words is no failure: a person reads it and moves on."""
        try:
            deed()
        except TallymanError as error:
            self.story.tell("operator", f"is told: {error}")
            return False
        except Exception as error:
            if self.story.schedule.current is not None:
                raise  # a process of its own: what ended it is judged there
            self.story.oracle.report("broken", f"a person gets {type(error).__name__}: {error}")
            return False
        return True
