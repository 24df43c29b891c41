"""Units by item and location: what is there, what is promised, who waits, and when it runs low."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import simpy

from sandbox.events import Event
from sandbox.orders import Order, Position
from sandbox.simulation.engine import Engine, Process

SAFETY = 60
"""Units of each position that are not promised, so that no system's lag shows less than none."""

_PUT_AWAY = 3600.0
"""Seconds from the receipt until units can be promised; longer than the ERP takes to post it."""


@dataclass
class Level:
    """The figures of one position, in eaches."""

    on_hand: int = 0
    allocated: int = 0
    receiving: int = 0
    spoken_for: int = 0
    on_order: int = 0
    wanted: int = 0

    @property
    def available(self) -> int:
        """What can be promised."""
        return self.on_hand - self.allocated - self.receiving - self.spoken_for - SAFETY

    @property
    def projected(self) -> int:
        """On hand once all that is open has happened."""
        return self.on_hand + self.on_order - self.allocated - self.spoken_for - self.wanted


@dataclass
class _Waiting:
    demand: dict[Position, int]
    granted: simpy.Event


@dataclass
class Stock:
    """All positions. ``when_low`` is called with a position each time that it may need more."""

    engine: Engine
    when_low: Callable[[Position], None] = lambda position: None
    levels: dict[Position, Level] = field(default_factory=dict)
    _queue: dict[Position, list[_Waiting]] = field(default_factory=dict)

    def open(self, position: Position, on_hand: int, spoken_for: int) -> None:
        """A position as it is at the beginning. ``spoken_for``: leaves without being promised."""
        self.levels[position] = Level(on_hand=on_hand, spoken_for=spoken_for)

    def allocate(self, order: Order) -> simpy.Event:
        """Promise an order its units; the event happens when there are enough of all of them."""
        waiting = _Waiting(demand_of(order), self.engine.env.event())
        if self._grant(waiting):
            return waiting.granted
        for position, qty in waiting.demand.items():
            self.levels[position].wanted += qty
            self._queue.setdefault(position, []).append(waiting)
        self._check(waiting.demand)
        return waiting.granted

    def lacking(self, order: Order) -> list[int]:
        """The numbers of the lines of which there is less than is ordered, as things are."""
        return [
            line["line"]
            for line in order.lines
            if self.levels[line["item"], order.location].available < line["qty"]
        ]

    def free(self, order: Order) -> None:
        """Take a promise back."""
        demand = demand_of(order)
        for position, qty in demand.items():
            self.levels[position].allocated -= qty
        self._serve(demand)

    def ship(self, order: Order) -> None:
        """Promised units leave."""
        demand = demand_of(order)
        for position, qty in demand.items():
            self.levels[position].allocated -= qty
            self.levels[position].on_hand -= qty
        self._check(demand)

    def leave(self, position: Position, qty: int) -> None:
        """Units leave that were spoken for from the beginning."""
        self.levels[position].spoken_for -= qty
        self.levels[position].on_hand -= qty
        self._check((position,))

    def arrive(self, position: Position, qty: int) -> None:
        """Units arrive; they are put away before they can be promised."""
        self.levels[position].on_hand += qty
        self.levels[position].receiving += qty
        self.engine.start(self._put_away(position, qty))

    def correct(self, position: Position, qty: int) -> None:
        """A count or damage changes what is there. Raises ValueError if it would take a promise."""
        level = self.levels[position]
        if qty < 0 and level.available + qty < 0:
            raise ValueError(f"{position} has only {level.available} units that nobody waits for")
        level.on_hand += qty
        self._check((position,))

    def _put_away(self, position: Position, qty: int) -> Process:
        yield self.engine.wait(_PUT_AWAY)
        self.levels[position].receiving -= qty
        self._serve((position,))

    def _grant(self, waiting: _Waiting) -> bool:
        if any(self.levels[found].available < qty for found, qty in waiting.demand.items()):
            return False
        for position, qty in waiting.demand.items():
            self.levels[position].allocated += qty
        waiting.granted.succeed()
        self._check(waiting.demand)
        return True

    def _serve(self, positions: Iterable[Position]) -> None:
        """Grant those who waited longest what can be promised again."""
        for position in positions:
            for waiting in list(self._queue.get(position, ())):
                if not self._grant(waiting):
                    continue
                for other, qty in waiting.demand.items():
                    self.levels[other].wanted -= qty
                    self._queue[other].remove(waiting)

    def _check(self, positions: Iterable[Position]) -> None:
        for position in positions:
            self.when_low(position)


def demand_of(order: Order) -> dict[Position, int]:
    """Eaches by position."""
    return {(line["item"], order.location): line["qty"] for line in order.lines}


def moves_of(event: Event) -> list[tuple[Position, int]]:
    """Positions and signed eaches that an event moves: only what a warehouse knows of does."""
    system = next((name for name in ("wms", "threepl") if name in event.seen), None)
    if system is None:
        return []
    return changes(event.kind, event.as_told_to(system))


def kept_back(events: Iterable[Event]) -> Counter[Position]:
    """Eaches by position that the warehouse was told to ship and that none of these events ships:
    it keeps them for its orders, and would else show more promised than there is."""
    released: Counter[tuple[str, Position]] = Counter()
    for event in events:
        if event.kind not in ("order_released", "shipped") or "wms" not in event.seen:
            continue
        data = event.as_told_to("wms")
        sign = 1 if event.kind == "order_released" else -1
        for line in data["lines"]:
            released[event.subject, (line["item"], data["location"])] += sign * line["qty"]
    kept: Counter[Position] = Counter()
    for (_, position), qty in released.items():
        kept[position] += max(0, qty)
    return kept


MOVING = (
    "shipped",
    "stock_received",
    "stock_adjusted",
    "return_received",
    "transfer_shipped",
    "transfer_received",
)
"""The kinds of events that move units."""


def changes(kind: str, data: dict[str, Any]) -> list[tuple[Position, int]]:
    """Positions and signed eaches of what the data of an event say."""
    if kind == "shipped":
        return [((line["item"], data["location"]), -line["qty"]) for line in data["lines"]]
    if kind == "return_received":
        return [((line["item"], data["location"]), line["qty"]) for line in data["lines"]]
    if kind == "transfer_shipped":
        return [((data["item"], data["from"]), -data["qty"])]
    if kind == "transfer_received":
        return [((data["item"], data["to"]), data["qty"])]
    if kind in ("stock_received", "stock_adjusted"):
        return [((data["item"], data["location"]), data["qty"])]
    return []
