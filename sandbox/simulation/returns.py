"""Returns: some of what was delivered is authorised to come back, received, and credited."""

from __future__ import annotations

from typing import Any

from sandbox.catalogue import LOCATIONS, THIRD_PARTY
from sandbox.clock import DAY, HOUR
from sandbox.events import Event
from sandbox.numbers import Numbers
from sandbox.orders import LAGS, Order, lag
from sandbox.simulation.engine import Engine, Process
from sandbox.simulation.purchasing import RECEIPT_SETTLES
from sandbox.simulation.stock import Stock

_SHARE = 0.04
"""Of the delivered orders."""

_REASONS = ("WRONG_SIZE", "NOT_NEEDED", "DEFECT")

_ASKED = (6 * HOUR, 6 * DAY)
_TRAVEL = (DAY, 3 * DAY)
_CREDIT = (2 * HOUR, 18 * HOUR)
_CHAIN = sum(_TRAVEL) + sum(_CREDIT) + 2 * RECEIPT_SETTLES + LAGS["oms_status"][1]


class Returns:
    """The returns desk."""

    def __init__(self, engine: Engine, numbers: Numbers, stock: Stock) -> None:
        self.engine = engine
        self.numbers = numbers
        self.stock = stock

    def delivered(self, order: Order) -> None:
        """An order has been delivered; now and then its customer wants to give something back."""
        if self.engine.rng.random() < _SHARE:
            self.engine.start(self._return(order))

    def _return(self, order: Order) -> Process:
        engine, rng = self.engine, self.engine.rng
        yield engine.wait(*_ASKED)
        yield from engine.settles(_CHAIN)
        line = rng.choice(order.lines)
        qty = line["pack"] * rng.randrange(1, line["qty"] // line["pack"] + 1)
        number = self.numbers.next("return")
        # A third party takes nothing back.
        location = LOCATIONS[0] if order.location == THIRD_PARTY else order.location
        lines = [{"line": line["line"], "item": line["item"], "qty": qty, "price": line["price"]}]
        parcel = order.shipments[-1]
        data = order.header | {
            "return": number,
            "location": location,
            "invoice": parcel.invoice,
            "reason": rng.choice(_REASONS),
            "lines": lines,
        }
        authorised = engine.now + lag(rng, "oms")
        self._tell(
            "return_authorised",
            data,
            {"oms": authorised, "wms": authorised + lag(rng, "wms_order")},
        )
        yield engine.wait(*_TRAVEL)
        self.stock.arrive((line["item"], location), qty)
        wms = engine.now + lag(rng, "wms")
        self._tell(
            "return_received",
            data,
            {
                "wms": wms,
                "erp": wms + lag(rng, "erp_stock"),
                "oms": wms + lag(rng, "oms_status"),
            },
        )
        yield engine.wait(RECEIPT_SETTLES)
        yield engine.wait(*_CREDIT)
        credited = engine.now + 1.0
        data = data | {"credit": self.numbers.next("credit")}
        self._tell(
            "return_credited",
            data,
            {"erp": credited, "oms": credited + lag(rng, "oms_status")},
        )

    def _tell(self, kind: str, data: dict[str, Any], seen: dict[str, float]) -> None:
        self.engine.tell(Event(self.engine.now, kind, data["order"], data, seen))
