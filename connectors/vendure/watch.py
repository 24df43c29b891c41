"""Which orders are read again though ``Order.updatedAt`` did not move. Pure: no network.

Vendure moves ``updatedAt`` neither when a payment is settled, nor when a fulfilment is shipped or
delivered, nor with a note or a refund. So every pass reads, beside what ``updatedAt`` shows:

- all orders in a state that is not final;
- all orders placed within the look-back, final or not: a refund or note on them is seen;
- those older ones that were open at the last pass and are not any more: how they ended is seen, and
  what follows for another look-back.

Only the last ones must be remembered, and they are few: the cursor holds them.
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
    """The cursor of everything that hangs under orders.

    ``reached``: the latest ``updatedAt`` seen. ``late``: ids of orders older than the look-back,
    with the moment until which they are read again after their end (empty while they are open).
    """

    reached: datetime | None = None
    late: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, cursor: str | None) -> Watch:
        if cursor is None:
            return cls()
        told = json.loads(cursor)
        return cls(instant(told["reached"]), told["late"])

    def __str__(self) -> str:
        reached = iso_milliseconds(self.reached) if self.reached else None
        return json.dumps({"reached": reached, "late": dict(self.late)}, separators=(",", ":"))


@dataclass(frozen=True)
class Selection:
    """What one pass reads: see the head of the module."""

    now: datetime
    look_back: timedelta
    overlap: timedelta
    final_states: tuple[str, ...]

    def conditions(self, watch: Watch) -> list[dict[str, Any]]:
        """Vendure's filter for all but the remembered orders. Carts and drafts are no orders."""
        placed = {"orderPlacedAt": {"isNull": False}}
        if watch.reached is None:
            return [placed]
        changed_after = iso_milliseconds(watch.reached - self.overlap)
        placed_after = iso_milliseconds(self.now - self.look_back)
        any_of = [
            {"updatedAt": {"after": changed_after}},
            {"orderPlacedAt": {"after": placed_after}},
            {"state": {"notIn": list(self.final_states)}},
        ]
        return [placed, {"_or": any_of}]

    def remembered(self, watch: Watch, seen: Iterable[str]) -> list[str]:
        """Orders of the last watch that the filter did not show."""
        return sorted(set(watch.late) - set(seen))

    def late(self, orders: Iterable[Mapping[str, Any]], watch: Watch) -> dict[str, str]:
        """Those of the orders read that must be remembered."""
        remembered = {}
        for order in orders:
            placed_at = instant(order["orderPlacedAt"])
            if placed_at is None or placed_at > self.now - self.look_back:
                continue
            if order["state"] not in self.final_states:
                remembered[order["id"]] = ""
            elif order["id"] in watch.late:
                until = watch.late[order["id"]] or iso_milliseconds(self.now + self.look_back)
                if until > iso_milliseconds(self.now):
                    remembered[order["id"]] = until
        return remembered
