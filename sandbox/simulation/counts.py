"""Cycle counts and damage: now and then a position is counted, or something breaks."""

from __future__ import annotations

from sandbox.catalogue import Item, erp_system, warehouse_system
from sandbox.events import Event
from sandbox.numbers import Numbers
from sandbox.orders import lag
from sandbox.simulation.engine import Engine, Process
from sandbox.simulation.purchasing import RECEIPT_SETTLES
from sandbox.simulation.stock import Stock


class Counts:
    """The counters; on average ``every`` seconds they find something.

    ``told``: whether the warehouse system tells of counts too, not only of what they correct.
    """

    def __init__(
        self,
        engine: Engine,
        numbers: Numbers,
        items: list[Item],
        stock: Stock,
        every: float,
        told: bool,
    ) -> None:
        self.engine = engine
        self.numbers = numbers
        self.items = items
        self.stock = stock
        self.every = every
        self.told = told
        self.locations = list(dict.fromkeys(location for _, location in stock.levels))

    def run(self) -> Process:
        """Count, for ever."""
        rng = self.engine.rng
        while True:
            yield self.engine.wait(0.0, 2 * self.every)
            yield from self.engine.settles(RECEIPT_SETTLES)
            item, location = rng.choice(self.items).number, rng.choice(self.locations)
            reason = rng.choice(("CC", "CC", "DMG"))
            qty = -rng.randrange(1, 4) if reason == "DMG" else rng.choice((-3, -2, -1, 1, 2, 4))
            # What is promised to somebody is looked for until it is found.
            if self.stock.levels[item, location].available + qty < 0:
                continue
            held = self.stock.levels[item, location].on_hand
            self.stock.correct((item, location), qty)
            ref = self.numbers.next("adjustment")
            if reason == "CC" and self.told and warehouse_system(location) == "wms":
                self._count(item, location, held, qty, ref)
            self._adjust(item, location, qty, reason, ref)

    def _count(self, item: int, location: str, held: int, qty: int, ref: str) -> None:
        now = self.engine.now
        number = self.numbers.next("count")
        data = {
            "count": number,
            "item": item,
            "location": location,
            "held": held,
            "counted": held + qty,
            "ref": ref,
        }
        self.engine.tell(Event(now, "stock_counted", number, data, {"wms": now}))

    def _adjust(self, item: int, location: str, qty: int, reason: str, ref: str) -> None:
        engine = self.engine
        wms = engine.now + lag(engine.rng, "wms")
        engine.tell(
            Event(
                engine.now,
                "stock_adjusted",
                ref,
                {"ref": ref, "item": item, "location": location, "qty": qty, "reason": reason},
                {
                    warehouse_system(location): wms,
                    erp_system(location): wms + lag(engine.rng, "erp_stock"),
                },
            )
        )
