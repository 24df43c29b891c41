"""A warehouse: pickers and packers of whom there are only so many, and the dock."""

from __future__ import annotations

import math

import simpy

from sandbox.carriers import HOUSE, PUSHING
from sandbox.clock import DAY, HOUR, MINUTE
from sandbox.orders import LAGS, Order, OrderWriter
from sandbox.simulation.billing import Billing
from sandbox.simulation.engine import Engine, Process
from sandbox.simulation.stock import Stock

_PICK_LINE = (2 * MINUTE, 3 * MINUTE)
_PACK_ORDER = (2 * MINUTE, 4 * MINUTE)
_LINES = 2.2
"""Lines of an average order."""

_SPARE = 4.0
"""Hands for this many times the usual orders: a day of ten times as many leaves a queue."""

SHIPPING_SETTLES = 7 * HOUR
"""Until a parcel that leaves is posted, billed and scanned, at the latest."""


def _hands(orders_a_day: float, seconds_each: float) -> int:
    return max(1, math.ceil(_SPARE * orders_a_day * seconds_each / DAY))


class Warehouse:
    """One of the distributor's own warehouses, staffed for ``orders_a_day``.

    ``carriers``: who takes parcels there beside the house carrier.
    """

    def __init__(
        self,
        engine: Engine,
        writer: OrderWriter,
        stock: Stock,
        billing: Billing,
        orders_a_day: float,
        carriers: tuple[str, ...] = (),
    ) -> None:
        self.engine = engine
        self.writer = writer
        self.stock = stock
        self.billing = billing
        self.carriers = tuple(PUSHING[name] for name in carriers)
        picking = _LINES * (_PICK_LINE[0] + _PICK_LINE[1] / 2)
        packing = _PACK_ORDER[0] + _PACK_ORDER[1] / 2
        self.pickers = simpy.Resource(engine.env, _hands(orders_a_day, picking))
        self.packers = simpy.Resource(engine.env, _hands(orders_a_day, packing))

    def handle(self, order: Order) -> Process:
        """Pick, pack, label and ship an order that the ERP has handed over."""
        engine, writer = self.engine, self.writer
        # The next wave; by then the warehouse system has the order.
        yield engine.wait(25 * MINUTE, 3 * HOUR)
        yield from self._work(self.pickers, order, "order_picked", _PICK_LINE, len(order.lines))
        yield engine.wait(5 * MINUTE, HOUR)
        yield from self._work(self.packers, order, "order_packed", _PACK_ORDER)
        yield engine.wait(5 * MINUTE, 2 * HOUR)
        yield from engine.settles(SHIPPING_SETTLES)
        carriers = (HOUSE, *self.carriers)
        # Nothing is drawn where there is nothing to choose.
        writer.parcel(order, carrier=engine.rng.choice(carriers) if self.carriers else HOUSE)
        engine.tell(writer.labelled(order, engine.now))
        yield engine.wait(3 * MINUTE)
        engine.tell(writer.left(order, engine.now))
        self.stock.ship(order)
        self.billing.expect(order)

    def _work(
        self,
        hands: simpy.Resource,
        order: Order,
        kind: str,
        each: tuple[float, float],
        pieces: int = 1,
    ) -> Process:
        with hands.request() as turn:
            yield turn
            yield self.engine.wait(pieces * each[0], pieces * each[1])
        yield from self.engine.settles(LAGS["wms"][1])
        self.engine.tell(self.writer.handled(order, self.engine.now, kind))
