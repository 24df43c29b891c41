"""Price changes: every other day an item's list price moves; orders from then on are at the new."""

from __future__ import annotations

from dataclasses import replace

from sandbox.catalogue import Item
from sandbox.clock import DAY
from sandbox.events import Event
from sandbox.orders import LAGS, lag
from sandbox.simulation.engine import Engine, Process


class Prices:
    """The price list; ``items`` is changed in place."""

    def __init__(self, engine: Engine, items: list[Item]) -> None:
        self.engine = engine
        self.items = items

    def run(self) -> Process:
        """Change a price, for ever. The ERP knows first, the OMS copies it."""
        engine = self.engine
        while True:
            yield engine.wait(0.0, 4 * DAY)
            yield from engine.settles(1.0 + LAGS["oms_status"][1])
            item = engine.rng.choice(self.items)
            # In steps of five cents, as the catalogue has them.
            price = max(5, item.price * engine.rng.randrange(92, 113) // 500 * 5)
            self.items[item.number - 1] = replace(item, price=price)
            erp = engine.now + 1.0
            engine.tell(
                Event(
                    engine.now,
                    "item_repriced",
                    item.gtin,
                    {"item": item.number, "gtin": item.gtin, "price": price},
                    {"erp": erp, "oms": erp + lag(engine.rng, "oms_status")},
                )
            )
