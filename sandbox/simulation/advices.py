"""Inventory advices: every night the third-party warehouse tells what it has on hand."""

from __future__ import annotations

from sandbox.catalogue import THIRD_PARTY, Item
from sandbox.clock import DAY, MINUTE
from sandbox.events import Event
from sandbox.numbers import Numbers
from sandbox.simulation.engine import Engine, Process
from sandbox.simulation.stock import Stock


class Advices:
    """The nightly snapshot."""

    def __init__(self, engine: Engine, numbers: Numbers, items: list[Item], stock: Stock) -> None:
        self.engine = engine
        self.numbers = numbers
        self.items = items
        self.stock = stock

    def run(self) -> Process:
        """Tell, for ever."""
        engine = self.engine
        while True:
            yield engine.wait(DAY)
            on_hand = [
                [item.number, self.stock.levels[item.number, THIRD_PARTY].on_hand]
                for item in self.items
            ]
            # By then it has told of everything that moved before.
            yield from engine.settles(MINUTE)
            number = self.numbers.next("advice")
            data = {
                "advice": number,
                "location": THIRD_PARTY,
                "as_of": engine.now,
                "on_hand": on_hand,
            }
            engine.tell(
                Event(engine.now, "stock_advised", number, data, {"threepl": engine.now + MINUTE})
            )
