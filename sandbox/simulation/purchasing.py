"""Purchasing: when a position runs low its item is bought from a supplier, and comes later."""

from __future__ import annotations

from sandbox.catalogue import Item
from sandbox.clock import HOUR
from sandbox.events import Event
from sandbox.numbers import Numbers
from sandbox.orders import LAGS, lag
from sandbox.simulation.engine import Engine, Process
from sandbox.simulation.stock import SAFETY, Position, Stock

RECEIPT_SETTLES = LAGS["wms"][1] + LAGS["erp_stock"][1]


class Purchasing:
    """The buyer of all positions. ``daily``: units that leave a position on a usual day."""

    def __init__(
        self, engine: Engine, numbers: Numbers, items: list[Item], stock: Stock, daily: float
    ) -> None:
        self.engine = engine
        self.numbers = numbers
        self.items = items
        self.stock = stock
        self.reorder_point = int(2 * SAFETY + 3 * daily)
        self.target = int(self.reorder_point + SAFETY + 10 * daily)

    def whole_cases(self, item: int, qty: int) -> int:
        """At least ``qty`` eaches in whole cases."""
        pack = self.items[item - 1].case_pack
        return -(-qty // pack) * pack

    def replenish(self, position: Position) -> None:
        """Order more if a position is below its reorder point, with what is on its way."""
        level = self.stock.levels[position]
        if level.projected < self.reorder_point:
            qty = self.whole_cases(position[0], self.target - level.projected)
            level.on_order += qty
            self.engine.start(self._purchase(position, qty))

    def _purchase(self, position: Position, qty: int) -> Process:
        yield self.engine.wait(6 * HOUR, 30 * HOUR)
        yield from self.engine.settles(RECEIPT_SETTLES)
        self.stock.levels[position].on_order -= qty
        self.stock.arrive(position, qty)
        self.engine.tell(receipt(self.engine, self.numbers, self.engine.now, position, qty))


def receipt(engine: Engine, numbers: Numbers, at: float, position: Position, qty: int) -> Event:
    """Goods received: the warehouse records it, then the ERP."""
    ref = numbers.next("receipt")
    item, location = position
    wms = at + lag(engine.rng, "wms")
    return Event(
        at,
        "stock_received",
        ref,
        {"ref": ref, "item": item, "location": location, "qty": qty},
        {"wms": wms, "erp": wms + lag(engine.rng, "erp_stock")},
    )
