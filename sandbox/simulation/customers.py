"""Customers order, change their minds, and wait: the life of a healthy order from end to end."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

import simpy

from sandbox.catalogue import NORTH, THIRD_PARTY
from sandbox.clock import HOUR, MINUTE
from sandbox.drop_shipping import part_of
from sandbox.events import Event
from sandbox.orders import LAGS, Order, OrderWriter
from sandbox.simulation.carriers import Carrier
from sandbox.simulation.drop_shipping import DropShipping
from sandbox.simulation.engine import Engine, Process
from sandbox.simulation.returns import Returns
from sandbox.simulation.stock import Stock
from sandbox.simulation.warehouse import Warehouse


def longest(*subjects: str) -> float:
    """The longest time in which one system after the other records something."""
    return 1.0 + sum(LAGS[subject][1] for subject in subjects)


_ACCEPTANCE = longest("oms", "erp_order")
_TRANSLATION = 20 * MINUTE
_HANDOVER = longest("wms_order") + MINUTE + _TRANSLATION
_CANCELLATION = longest("erp_order", "wms_order")

# Shares of orders that are cancelled at once, once booked, and once they are in the warehouse.
_REGRETTED, _CANCELLED, _CANCELLED_LATE = 0.01, 0.035, 0.015

_HELD, _REFUSED = 0.06, 0.1
"""Share of the orders that wait for a check of the customer's credit, and of those that fail it."""

_IN_NORTH = 0.15
"""Share of the orders that the region north takes, where there is one."""

_AT_THIRD_PARTY = 0.2
"""Share of the orders that a third-party warehouse ships, where there is one."""


class Customers:
    """All customers; ``arrivals`` are (order number, virtual moment), oldest first."""

    def __init__(
        self,
        engine: Engine,
        writer: OrderWriter,
        stock: Stock,
        warehouses: dict[str, Warehouse],
        carriers: dict[str, Carrier],
        returns: Returns | None,
        checks_credit: bool = False,
        drop_shipping: DropShipping | None = None,
    ) -> None:
        self.engine = engine
        self.writer = writer
        self.stock = stock
        self.warehouses = warehouses
        self.carriers = carriers
        self.returns = returns
        self.checks_credit = checks_credit
        self.drop_shipping = drop_shipping

    def order(self, arrivals: Iterable[tuple[int, float]]) -> Process:
        """One order after the other."""
        for number, moment in arrivals:
            yield self.engine.wait(max(0.0, moment - self.engine.now))
            order = self.writer.start(number)
            if THIRD_PARTY in self.warehouses and self.engine.rng.random() < _AT_THIRD_PARTY:
                order.location = THIRD_PARTY
            elif NORTH in self.warehouses and self.engine.rng.random() < _IN_NORTH:
                self.writer.in_north(order)
            self.writer.place(order, self.engine.now)
            self.engine.tell(order.find("order_placed"))
            self.engine.start(self._life(order))

    def _life(self, order: Order) -> Process:
        engine, writer = self.engine, self.writer
        fate = engine.rng.random()
        if fate < _REGRETTED:
            yield engine.wait(40.0)
            yield from engine.settles(1.0)
            self._cancel(order, "oms")
            return
        yield engine.wait(MINUTE, 20 * MINUTE)
        yield from engine.settles(_ACCEPTANCE)
        held = self.checks_credit and engine.rng.random() < _HELD
        # Nobody buys for who may not pay.
        dropped = self.drop_shipping.chosen(order) if self.drop_shipping and not held else []
        lacking = [line for line in self.stock.lacking(order) if line not in dropped]
        accepted = writer.accepted(order, engine.now, lacking, dropped)
        if held:
            accepted.told[order.erp] = {"held": True}
        engine.tell(accepted)
        if held and not (yield from self._credit_is_good(order)):
            return
        if fate < _REGRETTED + _CANCELLED:
            yield engine.wait(25 * MINUTE, 13 * MINUTE)
            yield from engine.settles(_CANCELLATION)
            self._cancel(order, "oms", "erp")
            return
        if self.drop_shipping and dropped:
            self.drop_shipping.buy(order, dropped)
            order = part_of(order, [row for row in order.lines if row["line"] not in dropped])
            if not order.lines:
                return
        yield engine.wait(40 * MINUTE, 12 * HOUR)
        yield self.stock.allocate(order)
        yield from engine.settles(_HANDOVER)
        if lacking:
            engine.tell(writer.reserved(order, engine.now, lacking))
        engine.tell(writer.handed_over(order, engine.now))
        if order.location == THIRD_PARTY:
            engine.start(self._translated(order))
        elif fate < _REGRETTED + _CANCELLED + _CANCELLED_LATE:
            yield engine.wait(20 * MINUTE)
            yield from engine.settles(_CANCELLATION)
            self._cancel(order, "oms", "erp", "wms")
            self.stock.free(order)
            return
        yield from self.warehouses[order.location].handle(order)
        yield from self.carriers[order.location].carry(order)
        # What the region north takes back, its office settles without a document.
        if self.returns is not None and order.location != NORTH:
            self.returns.delivered(order)

    def _credit_is_good(self, order: Order) -> Generator[simpy.Event, Any, bool]:
        """Somebody looks at what the customer owes; if it is too much, the order is cancelled."""
        engine = self.engine
        yield engine.wait(30 * MINUTE, 9 * HOUR)
        if engine.rng.random() < _REFUSED:
            yield from engine.settles(_CANCELLATION)
            self._cancel(order, "oms", "erp")
            return False
        yield from engine.settles(1.0)
        seen = {order.erp: engine.now}
        engine.tell(self.writer.add(order, engine.now, "credit_checked", seen))
        return True

    def _translated(self, order: Order) -> Process:
        """The third party's translator has the release, and says so."""
        yield self.engine.wait(LAGS["wms_order"][1] + MINUTE, _TRANSLATION)
        now = self.engine.now
        self.engine.tell(Event(now, "release_arrived", order.order, order.header, {"threepl": now}))

    def _cancel(self, order: Order, *systems: str) -> None:
        self.writer.cancel(order, self.engine.now, systems=systems)
        self.engine.tell(order.events[-1])
