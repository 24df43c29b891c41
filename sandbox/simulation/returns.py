"""Returns: some of what was delivered is authorised to come back, received, and credited."""

from __future__ import annotations

from sandbox.clock import DAY, HOUR
from sandbox.orders import LAGS, Order, OrderWriter
from sandbox.returns import REASONS, authorised, credited, received, return_of
from sandbox.simulation.engine import Engine, Process
from sandbox.simulation.purchasing import RECEIPT_SETTLES
from sandbox.simulation.stock import Stock

_SHARE = 0.04
"""Of the delivered orders."""

_ASKED = (6 * HOUR, 6 * DAY)
_TRAVEL = (DAY, 3 * DAY)
_CREDIT = (2 * HOUR, 18 * HOUR)
_CHAIN = sum(_TRAVEL) + sum(_CREDIT) + 2 * RECEIPT_SETTLES + LAGS["oms_status"][1]


class Returns:
    """The returns desk."""

    def __init__(self, engine: Engine, writer: OrderWriter, stock: Stock) -> None:
        self.engine = engine
        self.writer = writer
        self.stock = stock

    def delivered(self, order: Order) -> None:
        """An order has been delivered; now and then its customer wants to give something back."""
        if self.engine.rng.random() < _SHARE:
            self.engine.start(self._return(order))

    def _return(self, order: Order) -> Process:
        engine, writer, rng = self.engine, self.writer, self.engine.rng
        yield engine.wait(*_ASKED)
        yield from engine.settles(_CHAIN)
        line = rng.choice(order.lines)
        qty = line["pack"] * rng.randrange(1, line["qty"] // line["pack"] + 1)
        data = return_of(writer, order, line, qty, rng.choice(REASONS))
        engine.tell(authorised(writer, order, engine.now, data))
        yield engine.wait(*_TRAVEL)
        self.stock.arrive((line["item"], data["location"]), qty)
        engine.tell(received(writer, order, engine.now, data))
        yield engine.wait(RECEIPT_SETTLES)
        yield engine.wait(*_CREDIT)
        engine.tell(credited(writer, order, engine.now, data))
