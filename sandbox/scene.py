"""Where faults and decoys are staged: fresh orders and free stock positions at a given now."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

from sandbox.catalogue import LOCATIONS, Item
from sandbox.clock import DAY, HOUR, MINUTE, is_shown_twice
from sandbox.disturbances import FEED_DISTURBED, TARGET_BEHAVES
from sandbox.events import Event
from sandbox.numbers import Numbers
from sandbox.orders import Order, OrderWriter, Position, Shipment

_MOST_TAKEN = 80
"""Eaches; no kind takes as many from a free position."""

OLD = "old"
"""Placed long enough ago for a whole life, with every deadline passed."""
RECENT = "recent"
"""Placed lately, long enough ago to have been booked or released."""

WINDOWS = {OLD: (5 * DAY, 40 * DAY), RECENT: (10 * HOUR, 3 * DAY)}
"""How long before now the orders of each age were placed."""


class NothingLeftError(Exception):
    """A kind can't be staged once more: what it needs (a free item or position) is used up."""


@dataclass
class Scene:
    """The stage. ``slots`` holds order numbers and moments reserved by age; empty: take new ones.

    ``used`` remembers items and stock positions that a fault has spoilt, so that no two faults
    meet on one unless they are staged together. ``free``: units of each position that orders may
    still take; None: those who make the history see to it that there are enough.
    """

    rng: random.Random
    numbers: Numbers
    items: list[Item]
    now: float
    live: Callable[[], float]
    used: set[str]
    free: dict[str, int] | None = None
    slots: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.write = OrderWriter(self.rng, self.numbers, self.items)

    def order(
        self,
        age: str,
        line_count: int | None = None,
        like: Order | None = None,
        in_cases: bool | None = None,
    ) -> tuple[Order, float]:
        """A fresh order without events and the moment at which it is placed."""
        reserved = self.slots.get(age)
        if reserved:
            number, placed = reserved.pop()
        else:
            number = self.numbers.next_int("order")
            shortest, longest = WINDOWS[age]
            placed = self.now - self.rng.uniform(shortest, min(longest, 3 * shortest))
        order = self.write.start(number, line_count, like, in_cases)
        for _ in range(50):
            if self._can_be_had(order):
                break
            order = self.write.start(number, line_count, like, in_cases)
        if self.free is not None:
            for position, qty in _demand(order):
                key = position_key(position)
                self.free[key] = self.free.get(key, 0) - qty
        self.orders.append(order)
        return order, placed

    def _can_be_had(self, order: Order) -> bool:
        """Whether no fault has spoilt a position of it, and each holds enough; twice, as a kind may
        order the like of it."""
        if self.used.intersection(map(position_key, order.positions())):
            return False
        return all(self._holds(position, 2 * qty) for position, qty in _demand(order))

    def _holds(self, position: Position, qty: int) -> bool:
        return self.free is None or self.free.get(position_key(position), 0) >= qty

    def item(self, number: int) -> Item:
        """An item by its number."""
        return self.items[number - 1]

    def other_item(self, order: Order) -> Item:
        """An item that an order does not hold, for one of its lines. No other fault takes it."""
        held = {line["item"] for line in order.lines}
        free = [
            item
            for item in self.items
            if item.number not in held
            and position_key((item.number, order.location)) not in self.used
        ]
        if not free:
            raise NothingLeftError("every other item at this place already has a fault")
        other = self.rng.choice(free)
        self.used.add(position_key((other.number, order.location)))
        return other

    def free_item(self) -> Item:
        """An item that never moves in cases and that no fault has touched."""
        free = [
            item
            for item in self.items
            if item.eaches_only and f"item {item.number}" not in self.used
        ]
        if not free:
            raise NothingLeftError("every item that never moves in cases already has this fault")
        item = self.rng.choice(free)
        self.used.add(f"item {item.number}")
        return item

    def free_position(self) -> tuple[Item, str]:
        """An item and a location that no fault has touched."""
        item, (location,) = self._free_places(1)
        return item, location

    def free_route(self) -> tuple[Item, str, str]:
        """An item and the locations, from and to, of a transfer. No fault has touched either."""
        item, (source, target) = self._free_places(2)
        return item, source, target

    def _free_places(self, count: int) -> tuple[Item, tuple[str, ...]]:
        taken = {position_key(position) for order in self.orders for position in order.positions()}
        touched = self.used | taken
        free = [
            (item, places)
            for item in self.items
            for places in permutations(LOCATIONS, count)
            if not item.eaches_only
            and not any(position_key((item.number, place)) in touched for place in places)
            and all(self._holds((item.number, place), _MOST_TAKEN) for place in places)
        ]
        if not free:
            raise NothingLeftError("every stock position already has a fault")
        item, places = self.rng.choice(free)
        self.used.update(position_key((item.number, place)) for place in places)
        return item, places

    def add(self, at: float, kind: str, subject: str, seen: dict[str, float], **data: Any) -> Event:
        """An event that belongs to no order."""
        event = Event(at, kind, subject, data, seen)
        self.events.append(event)
        return event

    def disturb(
        self, system: str, entity: str | None, mode: str, until: float | None, **more: Any
    ) -> None:
        """From now until a moment a feed (None: all of a system) goes wrong (disturbances.py)."""
        name = f"{system}.{entity}" if entity else system
        self.add(
            self.now,
            FEED_DISTURBED,
            name,
            {},
            system=system,
            entity=entity,
            mode=mode,
            until=until,
            **more,
        )

    def behave(
        self, system: str, mode: str, about: str, times: int | None = 1, **needs: Any
    ) -> None:
        """A target treats writes that name ``about`` in a special way (disturbances.py), the first
        ``times`` of them or all (None)."""
        for _ in range(times or 1):
            number = self.numbers.next_int("behaviour")
            self.add(
                self.now,
                TARGET_BEHAVES,
                f"{mode} {about} {number}",
                {},
                system=system,
                mode=mode,
                about=about,
                once=times is not None,
                **needs,
            )

    def all_events(self) -> list[Event]:
        """Everything staged so far."""
        return self.events + [event for order in self.orders for event in order.events]


def told_once(moment: float) -> float:
    """A moment near this one after which, for two hours, the ERP's wall clock shows each time once.

    For faults that are a matter of minutes: an hour that comes twice proves nothing.
    """
    ambiguous = any(is_shown_twice(moment + HOUR * step / 4) for step in range(9))
    return moment - 4 * HOUR if ambiguous else moment


def on_one_day(moment: float, seconds: float) -> float:
    """A moment near this one, after which so many seconds and another minute end no day anywhere.

    For faults that are a matter of a day: days begin at a full hour in every zone of this world.
    """
    return moment - max(0.0, moment % HOUR + seconds + MINUTE - HOUR)


def position_key(position: Position) -> str:
    """How a stock position is remembered as used."""
    return f"{position[0]}@{position[1]}"


def _demand(order: Order) -> list[tuple[Position, int]]:
    """The position of each line, and its eaches."""
    return [((line["item"], order.location), line["qty"]) for line in order.lines]


def keys_of(order: Order, parcel: Shipment | None = None) -> dict[str, Any]:
    """The business keys of an order, and of a parcel of it, for a truth row."""
    keys: dict[str, Any] = {"order_number": order.order, "doc_no": order.doc_no}
    if parcel is not None:
        keys |= {
            "wms_order": order.wms_order,
            "shipment": parcel.shipment,
            "tracking": parcel.tracking,
        }
    return keys
