"""The truth: systems that hold values, apply requests, and keep a ledger of every effect.

Nothing in here is visible to the engine but through ``transport`` and ``warehouse``.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.base import CorrectionRequest

KINDS = ("update_quantity", "create_invoice", "adjust_stock")
KEY_LIFETIME = 7200.0  # seconds after which a target that forgets its keys has forgotten one


@dataclass
class Held:
    """A value and its past: (second, value, who) of every change, the first at second 0."""

    value: int
    past: list[tuple[float, int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.past.append((0.0, self.value, "history"))

    def set(self, moment: float, value: int, who: str) -> None:
        self.value = value
        self.past.append((moment, value, who))

    def at(self, moment: float) -> int:
        """The value that was held at a time."""
        for since, value, _ in reversed(self.past):
            if since <= moment:
                return value
        return self.past[0][1]

    def held_within(self, value: int, start: float, end: float) -> bool:
        """Whether it was the value at any time of an interval."""
        if self.at(start) == value:
            return True
        return any(start <= since <= end and held == value for since, held, _ in self.past)


@dataclass
class Item:
    """One object: what the authority holds of it, and what its target does.

    For an invoice the authority's value is 1 once the shipment left, and the target's value is the
    number of live invoices. ``touches`` are the times at which the target's record was written.
    """

    object_id: str
    kind: str
    target: str
    authority: Held
    copy: Held
    touches: list[float] = field(default_factory=list)
    keys: dict[str, float] = field(default_factory=dict)  # of live documents and movements: since
    doubled_by_target: int = 0

    def version(self, moment: float) -> int:
        """The version field as it was at a time."""
        return bisect_right(self.touches, moment)

    def write(self, moment: float, value: int, who: str) -> None:
        """Change what the target holds."""
        self.touches.append(moment)
        self.copy.set(moment, value, who)

    @property
    def drifts(self) -> bool:
        return self.authority.value != self.copy.value


@dataclass(frozen=True)
class Effect:
    """One thing that really happened because of us."""

    at: float
    key: str
    object_id: str
    kind: str
    before: int
    after: int
    undo: bool


@dataclass(frozen=True)
class Arrival:
    """A request as the target sees it. ``version`` is the one that the sender read, if any."""

    key: str
    request: CorrectionRequest
    undo: bool
    version: int | None


@dataclass(frozen=True)
class Answer:
    """Status, body and headers of an answer over HTTP, and for how long it asks to wait."""

    status: int
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_seconds: float | None = None


class TargetSystem:
    """A system that takes corrections.

    ``honours_keys``: one effect a key (as long as it remembers it). ``versions``: it compares the
    version that the sender read. Without both it applies whatever arrives.
    """

    def __init__(self, name: str, *, honours_keys: bool, versions: bool) -> None:
        self.name = name
        self.honours_keys = honours_keys
        self.versions = versions
        self.forgets_keys = False
        self.items: dict[str, Item] = {}
        self.ledger: list[Effect] = []
        self.seen: dict[str, float] = {}
        self.closed_until: dict[str, float] = {}  # objects that refuse for business reasons
        self.down_until = 0.0
        self._numbers = itertools.count(1)

    def apply(self, arrival: Arrival, now: float, times: int = 1) -> Answer:
        """Do what a request wants, as far as the system's own rules allow."""
        item = self.items[arrival.request.object_id]
        seen = self.seen.get(arrival.key)
        remembered = seen is not None and (not self.forgets_keys or now - seen < KEY_LIFETIME)
        if self.honours_keys and remembered:
            return Answer(200, b'{"id": "replayed"}')
        if arrival.version is not None and arrival.version != item.version(now):
            return Answer(412, b'{"title": "Stale version"}')
        change = effect_of(item, arrival.request, arrival.undo)
        if change is None:
            return Answer(409, b'{"title": "The record holds another value"}')
        for _ in range(times):
            self._do(item, arrival, change, now)
        item.doubled_by_target += times - 1
        self.seen[arrival.key] = now
        return Answer(200, b'{"id": "%d"}' % next(self._numbers))

    def _do(self, item: Item, arrival: Arrival, change: int, now: float) -> None:
        before = item.copy.value
        if item.kind == "update_quantity":
            after = change
        else:
            after = before + change
            key = arrival.request.idempotency_key
            if arrival.undo:
                item.keys.pop(key, None)
            else:
                item.keys[key] = now
        item.write(now, after, "undo" if arrival.undo else "tallyman")
        self.ledger.append(
            Effect(now, arrival.key, item.object_id, item.kind, before, after, arrival.undo)
        )


def old_and_new(request: CorrectionRequest) -> tuple[int, int]:
    """What the target should hold before and after a correction."""
    payload = request.payload
    match request.kind:
        case "update_quantity":
            return int(payload["old_quantity"]), int(payload["quantity"])
        case "adjust_stock":
            return int(payload["expected_quantity"]), int(payload["new_quantity"])
    return 0, 1


def effect_of(item: Item, request: CorrectionRequest, undo: bool) -> int | None:
    """The value to set (quantity) or to add (invoice, stock); None when the target compares the
    old value itself and finds another."""
    old, new = old_and_new(request)
    if request.kind == "update_quantity":
        return old if undo else new
    delta = int(request.payload["quantity_delta"]) if request.kind == "adjust_stock" else 1
    if request.kind == "adjust_stock" and item.copy.value != (new if undo else old):
        return None
    return -delta if undo else delta


@dataclass
class Truth:
    """All systems of a story. ``hub`` is the authority: it is only read."""

    items: dict[str, Item]
    targets: dict[str, TargetSystem]

    def effects(self) -> list[Effect]:
        return sorted(
            (effect for target in self.targets.values() for effect in target.ledger),
            key=lambda effect: effect.at,
        )

    def system_of(self, item: Item) -> TargetSystem:
        return self.targets[item.target]
