"""What is to be written: how many orders give so many events, and how they fall into blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
MINUTE_MS = 60_000

PLACED, BOOKED, RELEASED, DELIVERED = 0, 1, 5, 6
CANCELLED_AT_ONCE, CANCELLED_BOOKED, CANCELLED_RELEASED = 2, 3, 4
STATES = (
    "placed",
    "booked",
    "cancelled_at_once",
    "cancelled_booked",
    "cancelled_released",
    "released",
    "delivered",
)
EVENTS_OF_STATE = (1, 2, 2, 3, 4, 3, 13)
"""How many events an order has that has come so far."""

YOUNG_MS, SETTLED_MS, OPEN_MS = 2 * HOUR_MS, 9 * HOUR_MS, 3 * DAY_MS
"""Ages of an order's last change up to which it is only placed; may be booked; may be released."""

_AT_ANY_AGE = {CANCELLED_BOOKED: 0.035, CANCELLED_RELEASED: 0.015}
SHARES: tuple[tuple[int, dict[int, float]], ...] = (
    (YOUNG_MS, {PLACED: 1.0}),
    (SETTLED_MS, {PLACED: 0.5, BOOKED: 0.4, CANCELLED_AT_ONCE: 0.1}),
    (OPEN_MS, {**_AT_ANY_AGE, BOOKED: 0.1, RELEASED: 0.1, DELIVERED: 0.75}),
    (2**62, {**_AT_ANY_AGE, DELIVERED: 0.95}),
)
"""How orders up to an age are shared among states: those of the sandbox's healthy orders."""

_END = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ScalePlan:
    """Equal plans give equal files, byte by byte, however many processes write them.

    ``events``: how many at least; there may be a few in a thousand more. ``days`` end at ``until``
    (milliseconds since 1970, UTC). ``block_orders`` are drawn and written at a time: what memory
    holds does not depend on the number of events.
    """

    events: int
    seed: int = 20260
    items: int = 2000
    days: float = 45.0
    block_orders: int = 25_000
    until: int = field(default=int(_END.timestamp() * 1000))

    @property
    def begin(self) -> int:
        """When the first order was last changed, in milliseconds."""
        return self.until - int(self.days * DAY_MS)

    @property
    def orders(self) -> int:
        """As many as give the wanted events, with four standard deviations to spare."""
        mean, square, lower = 0.0, 0.0, 0
        span = self.until - self.begin
        for age, shares in SHARES:
            part = max(0, min(age, span) - lower) / span
            lower = min(age, span)
            for state, share in shares.items():
                mean += part * share * EVENTS_OF_STATE[state]
                square += part * share * EVENTS_OF_STATE[state] ** 2
        wanted = self.events / mean
        deviation = math.sqrt(wanted * (square - mean * mean)) / mean
        return max(1, math.ceil(wanted + 4 * deviation))

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return math.ceil(self.orders / self.block_orders)

    def block(self, number: int) -> tuple[int, int, int, int]:
        """(first order, orders, first millisecond, last + 1) of a block: a slice of the time."""
        first = number * self.block_orders
        size = min(self.block_orders, self.orders - first)
        span = self.until - self.begin
        return (
            first,
            size,
            self.begin + span * first // self.orders,
            self.begin + span * (first + size) // self.orders,
        )
