"""Extractions and the build, as the warehouse does them: what was seen, what is proposed, proved.

A restatement of the models for these objects only; the SQL has its own tests. It sees the systems
only through extractions that may be late, partial or old.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.base import CorrectionRequest
from registry.systems import Policy
from writeback.model import Correction
from writeback.propose import proposal_key
from writeback.simulation.systems import Item, old_and_new
from writeback.states import State

if TYPE_CHECKING:
    from writeback.simulation.story import Story

SETTLE = timedelta(seconds=60)
NONSENSE = 1000  # what a bad load shows of every value
COSTLY, CHEAP = Decimal("5000"), Decimal("62.50")


@dataclass
class Extraction:
    """What one reading of one system showed. Times are those of our clock."""

    system: str
    started_at: datetime
    complete: bool
    values: dict[str, tuple[int, frozenset[str]]] = field(default_factory=dict)

    @property
    def watermark(self) -> datetime:
        return self.started_at - SETTLE


@dataclass(frozen=True)
class Build:
    """What one build publishes."""

    number: int
    proposals: list[dict[str, Any]]
    proofs: list[dict[str, Any]]


class Warehouse:
    """All extractions of a story so far, and the rules over them."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.complete: dict[str, list[Extraction]] = {"hub": []}
        self.complete |= {name: [] for name in story.truth.targets}
        self.opened: dict[str, datetime] = {}
        self.healed: dict[str, datetime] = {}
        self.drifts: Counter[str] = Counter()  # object -> how often it has begun to drift
        self.builds = 0
        self.wordings: dict[str, int] = {}
        self.costly = {
            item.object_id for item in story.truth.items.values() if story.rng.random() < 0.35
        }

    # ---- reading ---------------------------------------------------------------------------

    def extract(self, system: str) -> None:
        """Read one system; takes time, during which the world goes on."""
        story, faults, rng = self.story, self.story.faults, self.story.rng
        extraction = Extraction(system, story.clock.now(), complete=True)
        duration = rng.uniform(1, 40)
        if faults.hit("late_extraction"):
            duration = rng.uniform(1800, 5400)
        moments = [
            (story.now + rng.uniform(0, duration), item.object_id)
            for item in story.truth.items.values()
            if system in ("hub", item.target)
        ]
        lag = 0.0
        if faults.hit("stale_extraction"):
            lag = rng.uniform(1, SETTLE.total_seconds() - 1)
        nonsense = system == "hub" and faults.hit("bad_load")
        broken = faults.hit("partial_extraction")
        story.wait(duration)
        for moment, object_id in moments[: len(moments) // 2] if broken else moments:
            # Each record was read at its own moment.
            extraction.values[object_id] = self._show(system, object_id, moment - lag)
            if nonsense:
                extraction.values[object_id] = (NONSENSE, frozenset())
        extraction.complete = not broken
        if extraction.complete:
            self.complete[system] = [*self.complete[system][-30:], extraction]

    def _show(self, system: str, object_id: str, moment: float) -> tuple[int, frozenset[str]]:
        item = self.story.truth.items[object_id]
        if system == "hub":
            return item.authority.at(moment), frozenset()
        keys = frozenset(key for key, since in item.keys.items() if since <= moment)
        return item.copy.at(moment), keys

    # ---- judging ---------------------------------------------------------------------------

    def build(self, outbox: list[Correction]) -> Build | None:
        """Proposals and proofs from what was seen; ``outbox``: our own feed. None without a
        complete extraction of each system."""
        if not all(self.complete.values()):
            return None
        self.builds += 1
        proposals: list[dict[str, Any]] = []
        for item in self.story.truth.items.values():
            hub, target = self._latest("hub"), self._latest(item.target)
            wanted, held = hub.values[item.object_id][0], target.values[item.object_id][0]
            if wanted == held:
                if item.object_id in self.opened:
                    del self.opened[item.object_id]
                    self.healed[item.object_id] = min(hub.started_at, target.started_at)
                continue
            frontier = min(hub.watermark, target.watermark)
            if item.object_id not in self.opened:
                self.opened[item.object_id] = frontier
                self.drifts[item.object_id] += 1
            if item.kind == "create_invoice" and (wanted, held) != (1, 0):
                continue
            proposals.append(self._proposal(item, held, wanted, frontier))
            if item.kind == "update_quantity" and self.story.faults.hit("conflicting_proposals"):
                proposals[-1]["conflict"] = True
                rival = self._proposal(item, held, wanted + 1, frontier)
                proposals.append({**rival, "conflict": True})
        proofs = [self._proof(c) for c in outbox]
        return Build(self.builds, proposals, proofs)

    def needs_approval(self, request: CorrectionRequest) -> bool:
        """What the policy wants a person for, judged by the request alone."""
        return request.object_id in self.costly

    def drift_of(self, object_id: str) -> str:
        """The present drift of an object, or its last: it has one name while its values move."""
        return f"{object_id}#{self.drifts[object_id]}"

    def _latest(self, system: str) -> Extraction:
        return self.complete[system][-1]

    def _proposal(self, item: Item, old: int, new: int, frontier: datetime) -> dict[str, Any]:
        object_id = item.object_id
        if self.story.faults.hit("changed_proposal"):
            self.wordings[object_id] = self.wordings.get(object_id, 0) + 1
        reason = f"wording {self.wordings.get(object_id, 0)}"
        payload: dict[str, Any]
        match item.kind:
            case "update_quantity":
                payload = {"quantity": new, "old_quantity": old}
                payload |= {"order_record": object_id, "line_record": reason}
            case "adjust_stock":
                payload = {"target_item": object_id, "target_location": "1", "reason": reason}
                payload |= {"quantity_delta": new - old}
                payload |= {"expected_quantity": old, "new_quantity": new}
            case _:
                payload = {"order_record": reason, "document": object_id}
                payload |= {"lines": [{"line_record": "1", "quantity": 1}]}
        key = {"object": object_id}
        condition = {"entity": "facts", "key": key, "check": "equals", "field": "value"}
        return {
            "proposal_key": proposal_key(item.target, object_id, item.kind, new, old),
            "rule_id": "SIM",
            "obligation_ids": [self.drift_of(object_id)],
            "object_id": object_id,
            "target_system": item.target,
            "kind": item.kind,
            "old_value": {"value": old},
            "new_value": {"value": new},
            "payload": payload,
            "preconditions": [
                {**condition, "system": "hub", "value": new},
                {**condition, "system": item.target, "value": old},
            ],
            "value_at_risk": COSTLY if object_id in self.costly else CHEAP,
            "currency": "USD",
            "conflict": False,
            "frontier_at": frontier,
        }

    def _proof(self, correction: Correction) -> dict[str, Any]:
        """A row of correction_proofs, by the same verdicts."""
        accepted = correction.accepted_at or correction.updated_at
        item = self.story.truth.items[correction.object_id]
        since = [
            sum(1 for e in self.complete[system] if e.watermark > accepted)
            for system in ("hub", item.target)
        ]
        extractions = min(since)
        latest = self._latest(item.target)
        value, keys = latest.values[correction.object_id]
        _, new = old_and_new(correction.request())
        shown = (
            value == new
            if correction.kind == "update_quantity"
            else correction.idempotency_key in keys
        )
        observed = shown and latest.started_at > correction.created_at
        is_open = correction.object_id in self.opened
        healed = self.healed.get(correction.object_id)
        healed_before = not is_open and healed is not None and healed < correction.created_at
        if extractions == 0:
            verdict = "waiting"
        elif healed_before or self.story.faults.hit("withdrawn_exception"):
            verdict = "moot"
        elif observed and not is_open:
            verdict = "verified"
        else:
            verdict = "unproven" if extractions >= 2 else "waiting"
        if verdict != "verified" and self.story.faults.hit("wrong_verdict"):
            verdict = "verified"
        return {
            "correction_key": correction.correction_key,
            "state": correction.state.value,
            "accepted_at": accepted,
            "extractions_since": extractions,
            "effect_observed": observed,
            "effect_raw_key": f"{item.target}/{correction.object_id}" if observed else None,
            "exceptions_open": int(is_open),
            "verdict": verdict,
        }


def policy_of(items: int) -> Policy:
    """The brake is tight enough for a bad load to meet it in the larger stories."""
    return Policy(approval_above=1000, max_corrections_per_run=max(4, items - 2))


UNPROVED = (State.ACCEPTED, State.UNPROVEN)
