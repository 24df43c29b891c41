"""Transfers between the distributor's own warehouses: out, in transit, in."""

from __future__ import annotations

from typing import Any

from sandbox.catalogue import LOCATIONS, Item
from sandbox.clock import HOUR
from sandbox.events import Event
from sandbox.numbers import Numbers
from sandbox.orders import lag
from sandbox.simulation.engine import Engine, Process
from sandbox.simulation.purchasing import RECEIPT_SETTLES
from sandbox.simulation.stock import Stock

_EVERY = 12 * HOUR
_LOAD = (HOUR, 3 * HOUR)
_TRAVEL = (8 * HOUR, 22 * HOUR)
_CHAIN = sum(_LOAD) + sum(_TRAVEL) + RECEIPT_SETTLES


class Transfers:
    """Evens out stock: what one warehouse has too much of goes to another. No unit is promised."""

    def __init__(self, engine: Engine, numbers: Numbers, items: list[Item], stock: Stock) -> None:
        self.engine = engine
        self.numbers = numbers
        self.items = items
        self.stock = stock

    def run(self) -> Process:
        """Look for something to even out, for ever."""
        while True:
            yield self.engine.wait(0.0, 2 * _EVERY)
            item = self.engine.rng.choice(self.items)
            levels = {name: self.stock.levels[item.number, name].available for name in LOCATIONS}
            fuller, emptier = (
                max(levels, key=levels.__getitem__),
                min(levels, key=levels.__getitem__),
            )
            cases = (levels[fuller] - levels[emptier]) // (2 * item.case_pack)
            if cases > 0:
                self.engine.start(self._transfer(item, fuller, emptier, cases * item.case_pack))

    def _transfer(self, item: Item, source: str, target: str, qty: int) -> Process:
        engine = self.engine
        yield from engine.settles(_CHAIN)
        number = self.numbers.next("transfer")
        data = {"transfer": number, "item": item.number, "qty": qty, "from": source, "to": target}
        engine.tell(Event(engine.now, "transfer_ordered", number, data, {"erp": engine.now + 1.0}))
        # Reserved at once, so that nobody else is promised these units.
        self.stock.levels[item.number, source].allocated += qty
        yield engine.wait(*_LOAD)
        self.stock.levels[item.number, source].allocated -= qty
        self.stock.levels[item.number, source].on_hand -= qty
        self.stock.levels[item.number, target].on_order += qty
        self._tell("transfer_shipped", number, data)
        yield engine.wait(*_TRAVEL)
        self.stock.levels[item.number, target].on_order -= qty
        self.stock.arrive((item.number, target), qty)
        self._tell("transfer_received", number, data)

    def _tell(self, kind: str, number: str, data: dict[str, Any]) -> None:
        engine = self.engine
        wms = engine.now + lag(engine.rng, "wms")
        seen = {"wms": wms, "erp": wms + lag(engine.rng, "erp_stock")}
        engine.tell(Event(engine.now, kind, number, data, seen))
