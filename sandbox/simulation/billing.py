"""Billing: every two hours the ERP invoices what has left and was posted; customers pay later."""

from __future__ import annotations

from sandbox.clock import DAY, HOUR, MINUTE
from sandbox.orders import Order, OrderWriter
from sandbox.payments import paid
from sandbox.simulation.engine import Engine, Process

_EVERY = 2 * HOUR
_POSTED_AFTER = 20 * MINUTE
"""The ERP has posted a parcel this long after it left, at the latest."""
_RUN = 30 * MINUTE
"""A run takes no longer, however much there is."""


_TERMS = (DAY, 12 * DAY)
"""How long customers take to pay."""


class Billing:
    """The billing run. ``pays``: whether this world tells of what customers pay."""

    def __init__(self, engine: Engine, writer: OrderWriter, pays: bool) -> None:
        self.engine = engine
        self.writer = writer
        self.pays = pays
        self._shipped: list[tuple[float, Order]] = []

    def expect(self, order: Order) -> None:
        """An order has left and is to be billed."""
        self._shipped.append((self.engine.now, order))

    def run(self) -> Process:
        """Bill, for ever."""
        while True:
            yield self.engine.wait(_EVERY)
            due = self.engine.now - _POSTED_AFTER
            ready = [order for shipped, order in self._shipped if shipped <= due]
            self._shipped = [row for row in self._shipped if row[0] > due]
            for order in ready:
                yield self.engine.wait(min(2.0, _RUN / len(ready)))
                self.engine.tell(self.writer.billed(order, self.engine.now))
                if self.pays:
                    self.engine.start(self._pay(order))

    def _pay(self, order: Order) -> Process:
        yield self.engine.wait(*_TERMS)
        self.engine.tell(paid(self.writer, order, self.engine.now))
