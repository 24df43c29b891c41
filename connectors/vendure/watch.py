"""Which orders are read again though ``Order.updatedAt`` did not move. Pure: no network.

Vendure moves ``updatedAt`` neither when a payment is settled, nor when a fulfilment is shipped or
delivered, nor with a note or a refund. So every pass reads, beside what ``updatedAt`` shows:

- all orders that at the last pass were within the look-back by their placing, in whatever state;
- all older ones that the last pass found open: how they end is seen, and what follows for another
  look-back.

The cursor remembers the older ones by their ids. Vendure's own filter by state would not do: an
order that ended since the last pass is not among the open ones any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connectors.cursors import instant, iso_milliseconds


@dataclass(frozen=True)
class Watch:
    """The cursor of everything that hangs under orders: how far the last pass came.

    ``reached``: the latest ``updatedAt`` seen. ``since``: where its look-back began. ``late``: ids
    of orders placed before that, with the moment until which they are read again after their end
    (empty while they are open).
    """

    reached: datetime | None = None
    since: datetime | None = None
    late: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, cursor: str | None) -> Watch:
        if cursor is None:
            return cls()
        told = json.loads(cursor)
        return cls(instant(told["reached"]), instant(told["since"]), told["late"])

    def __str__(self) -> str:
        told = {"reached": _text(self.reached), "since": _text(self.since), "late": dict(self.late)}
        return json.dumps(told, separators=(",", ":"))


@dataclass(frozen=True)
class Selection:
    """What one pass reads. ``now`` is the source's present at its beginning."""

    last: Watch
    now: datetime
    look_back: timedelta
    overlap: timedelta
    final_states: tuple[str, ...]

    @property
    def since(self) -> datetime:
        """Where the look-back of this pass begins."""
        return self.now - self.look_back

    def conditions(self) -> list[dict[str, Any]]:
        """Vendure's filter for all but the remembered orders. Carts and drafts are no orders."""
        placed = {"orderPlacedAt": {"isNull": False}}
        if self.last.reached is None or self.last.since is None:
            return [placed]
        # Not from where the look-back begins now: an order may have ended after the last pass and
        # have left the look-back before this one. A longer look-back counts at once.
        placed_after = min(self.last.since, self.since)
        any_of = [
            {"updatedAt": {"after": iso_milliseconds(self.last.reached - self.overlap)}},
            {"orderPlacedAt": {"after": iso_milliseconds(placed_after)}},
        ]
        return [placed, {"_or": any_of}]

    def remembered(self, seen: Iterable[str]) -> list[str]:
        """Remembered orders that the filter did not show."""
        return sorted(set(self.last.late) - set(seen))

    def late(self, orders: Iterable[Mapping[str, Any]]) -> dict[str, str]:
        """Which of the orders read must be remembered, and until when."""
        remembered = {}
        for order in orders:
            placed_at = instant(order["orderPlacedAt"])
            if placed_at is None or placed_at > self.since:
                continue
            if order["state"] not in self.final_states:
                remembered[order["id"]] = ""
            elif order["id"] in self.last.late:
                until = self.last.late[order["id"]] or iso_milliseconds(self.now + self.look_back)
                if until > iso_milliseconds(self.now):
                    remembered[order["id"]] = until
        return remembered


def _text(moment: datetime | None) -> str | None:
    return iso_milliseconds(moment) if moment else None
