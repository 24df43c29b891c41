"""Drop-shipping: some lines are bought for the customer, and their supplier ships them to him."""

from __future__ import annotations

from sandbox.catalogue import LOCATIONS, Item
from sandbox.clock import HOUR, MINUTE
from sandbox.drop_shipping import DropShipment, parts_by_supplier
from sandbox.orders import DESTINATION_ZONES, LAGS, Order, OrderWriter
from sandbox.simulation.billing import Billing
from sandbox.simulation.engine import Engine, Process

_ONE_ITEM_IN = 6
"""One item in so many may be drop-shipped."""
_SHARE = 0.5
"""Of the lines of such an item."""

# Least seconds and spread of each step: to the purchase order, its 997, the answer, the notice, the
# supplier's invoice.
_BUY = (20 * MINUTE, 10 * MINUTE)
_TRANSLATE = (MINUTE, 30 * MINUTE)
_ANSWER = (30 * MINUTE, 3 * HOUR)
_SHIP = (3 * HOUR, 18 * HOUR)
_BILL = (HOUR, 12 * HOUR)
_CHAIN = sum(sum(step) for step in (_TRANSLATE, _ANSWER, _SHIP, _BILL)) + LAGS["erp_posting"][1]
"""Until the supplier has billed a purchase order, at the latest; we bill before that."""

# Scans: code, least seconds since the one before, spread.
_SCANS = (
    ("PU", HOUR, 5 * HOUR),
    ("AR", 2 * HOUR, 24 * HOUR),
    ("OD", 30 * MINUTE, 6 * HOUR),
)


class DropShipping:
    """Who decides what is drop-shipped, and what becomes of it."""

    def __init__(
        self, engine: Engine, writer: OrderWriter, items: list[Item], billing: Billing
    ) -> None:
        self.engine = engine
        self.writer = writer
        self.items = items
        self.billing = billing

    def chosen(self, order: Order) -> list[int]:
        """The numbers of the lines that no warehouse is to ship. Only the home region does that,
        and not where the world ends before a supplier has billed: such a line of a released order
        would have neither a warehouse nor a purchase order."""
        if order.location not in LOCATIONS or not self.engine.would_settle(sum(_BUY) + _CHAIN):
            return []
        return [
            line["line"]
            for line in order.lines
            if line["item"] % _ONE_ITEM_IN == 0 and self.engine.rng.random() < _SHARE
        ]

    def buy(self, order: Order, lines: list[int]) -> None:
        """Buy lines of an order that the ERP has booked, from each supplier by itself."""
        for part in parts_by_supplier(order, lines):
            self.engine.start(self._purchase(part))

    def _purchase(self, part: Order) -> Process:
        engine = self.engine
        yield engine.wait(*_BUY)
        bought = DropShipment(self.writer, part, self.items)
        promised = engine.now + sum(_ANSWER) + sum(_SHIP)
        engine.tell(*bought.order(engine.now, promised), part.events[-1])
        yield engine.wait(*_TRANSLATE)
        engine.tell(*bought.arrive(engine.now))
        yield engine.wait(*_ANSWER)
        engine.tell(*bought.answer(engine.now, promised))
        yield engine.wait(*_SHIP)
        engine.tell(*bought.ship(engine.now), part.events[-1])
        self.billing.expect(part)
        engine.start(self._carry(part))
        yield engine.wait(*_BILL)
        engine.tell(*bought.bill(engine.now))

    def _carry(self, part: Order) -> Process:
        """The supplier's parcel on its way: our carrier scans it from the collection on."""
        engine, writer = self.engine, self.writer
        zone = engine.rng.choice(DESTINATION_ZONES)
        for code, least, spread in _SCANS:
            yield engine.wait(least, spread)
            yield from engine.settles(LAGS["carrier"][1])
            engine.tell(writer.scan(part, engine.now, code, zone))
        yield engine.wait(30 * MINUTE, 7 * HOUR)
        yield from engine.settles(LAGS["carrier"][1] + LAGS["oms_status"][1])
        engine.tell(writer.dropped(part, engine.now, zone))
