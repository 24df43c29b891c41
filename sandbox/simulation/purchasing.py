"""Purchasing, procure to receive: ordered, acknowledged, announced, received, billed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.catalogue import Item, erp_system, supplier_of, warehouse_system
from sandbox.clock import HOUR, MINUTE
from sandbox.events import Event
from sandbox.numbers import Numbers
from sandbox.orders import LAGS, Position, lag
from sandbox.simulation.engine import Engine, Process
from sandbox.simulation.stock import SAFETY, Stock

RECEIPT_SETTLES = LAGS["wms"][1] + LAGS["erp_stock"][1]

# Least seconds and spread of each step: to the order, its 997, the answer, the notice, the truck's
# arrival, the next line off the truck, the supplier's invoice.
_COLLECT = (HOUR, 3 * HOUR)
_TRANSLATE = (MINUTE, 30 * MINUTE)
_ANSWER = (30 * MINUTE, 3 * HOUR)
_SEND = (3 * HOUR, 18 * HOUR)
_TRAVEL = (4 * HOUR, 16 * HOUR)
_UNLOAD = (MINUTE, 3 * MINUTE)
_BILL = (HOUR, 12 * HOUR)

_MOST_LINES = 40
_CHAIN = (
    sum(sum(step) for step in (_TRANSLATE, _TRANSLATE, _ANSWER, _SEND, _TRAVEL, _BILL))
    + LAGS["wms_order"][1]
    + _MOST_LINES * sum(_UNLOAD)
    + 2 * RECEIPT_SETTLES
)
"""Until a purchase order is wholly received and billed, at the latest."""

_COST = 60
"""What a supplier takes, in per cent of our list price."""


@dataclass
class Purchase:
    """One order to a supplier for one location. A line has line, item, qty and cost in cents."""

    number: str
    supplier: str
    location: str
    lines: list[dict[str, int]]

    def told(self, **more: Any) -> dict[str, Any]:
        """What every event of it tells."""
        return {"purchase": self.number, "supplier": self.supplier, "location": self.location} | (
            more
        )


class Purchasing:
    """The buyer of all positions. ``daily``: units that leave a position on a usual day.

    ``told``: the systems that hear of orders and answers too, not only of what is received.
    ``accrued``: the value of what was received and is not yet billed, in cents.
    ``repeats_after``: seconds after which an order may be the same as one before.
    """

    def __init__(
        self,
        engine: Engine,
        numbers: Numbers,
        items: list[Item],
        stock: Stock,
        daily: float,
        told: frozenset[str],
        repeats_after: float,
    ) -> None:
        self.engine = engine
        self.numbers = numbers
        self.items = items
        self.stock = stock
        self.told = told
        self.accrued = 0
        self.reorder_point = int(2 * SAFETY + 3 * daily)
        self.target = int(self.reorder_point + SAFETY + 10 * daily)
        self._repeats_after = repeats_after
        self._baskets: dict[tuple[str, str], dict[int, int]] = {}
        self._bought: dict[tuple[str, str], list[tuple[float, list[tuple[int, int]]]]] = {}

    def whole_cases(self, item: int, qty: int) -> int:
        """At least ``qty`` eaches in whole cases."""
        pack = self.items[item - 1].case_pack
        return -(-qty // pack) * pack

    def replenish(self, position: Position) -> None:
        """Order more if a position is below its reorder point, with what is on its way."""
        level = self.stock.levels[position]
        if level.projected >= self.reorder_point:
            return
        item, location = position
        qty = self.whole_cases(item, self.target - level.projected)
        level.on_order += qty
        where = (supplier_of(item), location)
        basket = self._baskets.setdefault(where, {})
        basket[item] = basket.get(item, 0) + qty
        if len(basket) == 1 and basket[item] == qty:
            self.engine.start(self._buy(where))

    def _buy(self, where: tuple[str, str]) -> Process:
        """Wait for what else runs low, then order it all."""
        yield self.engine.wait(*_COLLECT)
        basket = list(self._baskets.pop(where).items())
        for first in range(0, len(basket), _MOST_LINES):
            lines = self._unlike_before(where, basket[first : first + _MOST_LINES])
            self.engine.start(self._purchase(where, lines))

    def _unlike_before(
        self, where: tuple[str, str], lines: list[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """The same goods again are one case more: to repeat an order of the same day word for word
        is the mistake that P7 injects, and nothing could tell a buyer who means it from one."""
        since = self.engine.now - self._repeats_after
        before = [told for told in self._bought.get(where, []) if told[0] > since]
        while sorted(lines) in (told for _, told in before):
            (item, qty), *others = lines
            more = self.whole_cases(item, 1)
            self.stock.levels[item, where[1]].on_order += more
            lines = [(item, qty + more), *others]
        self._bought[where] = [*before, (self.engine.now, sorted(lines))]
        return lines

    def _purchase(self, where: tuple[str, str], basket: list[tuple[int, int]]) -> Process:
        engine = self.engine
        # An order that nobody hears of owes nothing to anybody when the world stops.
        yield from engine.settles(_CHAIN if self.told else 0.0)
        lines = [
            {
                "line": line,
                "item": item,
                "qty": qty,
                "cost": self.items[item - 1].price * _COST // 100,
            }
            for line, (item, qty) in enumerate(basket, start=1)
        ]
        purchase = Purchase(self.numbers.next("purchase"), where[0], where[1], lines)
        promised = engine.now + sum(_ANSWER) + sum(_SEND) + sum(_TRAVEL)
        self._tell(
            purchase,
            "purchase_ordered",
            {"erp": 1.0, "suppliers": 2.0},
            lines=lines,
            promised_at=promised,
        )
        yield engine.wait(*_TRANSLATE)
        self._tell(purchase, "purchase_arrived", {"suppliers": 0.0})
        yield engine.wait(*_ANSWER)
        answered = {"suppliers": 0.0, "erp": lag(engine.rng, "erp_order")}
        self._tell(purchase, "purchase_acknowledged", answered, lines=lines, promised_at=promised)
        yield engine.wait(*_SEND)
        notice = self.numbers.next("notice")
        keeper = warehouse_system(purchase.location)
        announced = {"suppliers": 0.0, keeper: lag(engine.rng, "wms_order")}
        self._tell(purchase, "shipment_announced", announced, notice=notice, lines=lines)
        if keeper == "threepl":
            yield engine.wait(LAGS["wms_order"][1])
            yield engine.wait(*_TRANSLATE)
            self._tell(purchase, "notice_arrived", {keeper: 0.0}, notice=notice)
        yield engine.wait(*_TRAVEL)
        for line in lines:
            yield engine.wait(*_UNLOAD)
            yield from engine.settles(RECEIPT_SETTLES)
            self._receive(purchase, notice, line)
        yield engine.wait(*_BILL)
        self.accrued -= sum(line["qty"] * line["cost"] for line in lines)
        invoice = self.numbers.next("supplier_invoice")
        billed = {"suppliers": 0.0, "erp": lag(engine.rng, "erp_posting")}
        self._tell(purchase, "supplier_invoiced", billed, invoice=invoice, lines=lines)

    def _receive(self, purchase: Purchase, notice: str, line: dict[str, int]) -> None:
        position = (line["item"], purchase.location)
        self.stock.levels[position].on_order -= line["qty"]
        self.stock.arrive(position, line["qty"])
        self.accrued += line["qty"] * line["cost"]
        event = receipt(self.engine, self.numbers, self.engine.now, position, line["qty"])
        event.data |= {"purchase": purchase.number, "notice": notice, "line": line["line"]}
        self.engine.tell(event)

    def _tell(self, purchase: Purchase, kind: str, lags: dict[str, float], **more: Any) -> None:
        at = self.engine.now
        erp = erp_system(purchase.location)
        seen = {
            erp if system == "erp" else system: at + later
            for system, later in lags.items()
            if system in self.told
        }
        self.engine.tell(Event(at, kind, purchase.number, purchase.told(**more), seen))


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
        {
            warehouse_system(location): wms,
            erp_system(location): wms + lag(engine.rng, "erp_stock"),
        },
    )
