"""Lines that a supplier ships straight to the customer: who hears of each step, and when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any

from sandbox.carriers import HOUSE, tracking_number
from sandbox.catalogue import Item, supplier_of
from sandbox.clock import MINUTE
from sandbox.events import Event
from sandbox.orders import Line, Order, OrderWriter, Shipment, lag

NEEDS = ("drop_ship", "purchasing", "suppliers")
"""What a world must have to tell of it: somebody buys, and suppliers say what they ship."""

COST_PERCENT = 60
"""What a supplier takes, in per cent of our list price."""


def part_of(order: Order, lines: list[Line]) -> Order:
    """Some lines of an order that go their own way: its events are those of the order."""
    return replace(order, lines=lines, shipments=[])


def parts_by_supplier(order: Order, lines: list[int]) -> Iterator[Order]:
    """The lines of these numbers, apart by who supplies them."""
    bought = sorted(
        (line for line in order.lines if line["line"] in lines),
        key=lambda line: (supplier_of(line["item"]), line["line"]),
    )
    for _, found in groupby(bought, key=lambda line: supplier_of(line["item"])):
        yield part_of(order, list(found))


class DropShipment:
    """The purchase order for one part of an order. Each step gives the events of the purchase
    order; what happens to the customer's lines is appended to the order by ``writer``."""

    def __init__(self, writer: OrderWriter, part: Order, items: list[Item]) -> None:
        self.writer = writer
        self.part = part
        self.number = writer.numbers.next("purchase")
        self.lines = [
            {
                "line": position,
                "item": line["item"],
                "qty": line["qty"],
                "cost": items[line["item"] - 1].price * COST_PERCENT // 100,
                # Which line of the customer's order it is bought for.
                "for": line["line"],
            }
            for position, line in enumerate(part.lines, start=1)
        ]

    def order(self, at: float, promised: float) -> list[Event]:
        """The ERP buys the goods; its order tells the supplier to ship to the customer."""
        self._happens(
            "lines_bought",
            at,
            {"erp": at + 1.0},
            lines={line["for"]: [self.number, line["line"]] for line in self.lines},
        )
        heard = {"erp": at + 1.0, "suppliers": at + 2.0}
        return [self._told("purchase_ordered", at, heard, promised_at=promised)]

    def arrive(self, at: float) -> list[Event]:
        """The order's interchange is at the supplier's translator."""
        return [self._told("purchase_arrived", at, {"suppliers": at})]

    def answer(self, at: float, promised: float) -> list[Event]:
        """The supplier will ship all of it."""
        heard = {"suppliers": at, "erp": at + lag(self.writer.rng, "erp_order")}
        return [self._told("purchase_acknowledged", at, heard, promised_at=promised)]

    def ship(self, at: float) -> list[Event]:
        """The supplier ships and says so; by his notice the ERP posts it, and the OMS shows it."""
        writer, part = self.writer, self.part
        parcel = Shipment(
            shipment=writer.numbers.next("notice"),
            tracking=tracking_number(HOUSE, writer.numbers),
            fulfilment=writer.numbers.next("fulfilment"),
            invoice=writer.numbers.next("invoice"),
            lines=[{**line, "last": True} for line in part.lines],
        )
        part.shipments.append(parcel)
        heard = {"suppliers": at, "erp": at + 2 * MINUTE + lag(writer.rng, "erp_posting")}
        heard["oms"] = heard["erp"] + lag(writer.rng, "oms_status")
        self._happens(
            "shipped",
            at,
            heard,
            shipment=parcel.shipment,
            tracking=parcel.tracking,
            carrier=parcel.carrier,
            fulfilment=parcel.fulfilment,
            # It leaves from no place of ours.
            location=None,
            purchase=self.number,
            lines=parcel.lines,
            last=False,
        )
        announced = {"notice": parcel.shipment, "tracking": parcel.tracking}
        return [self._told("shipment_announced", at, {"suppliers": at}, **announced)]

    def bill(self, at: float) -> list[Event]:
        """The supplier's invoice."""
        invoice = self.writer.numbers.next("supplier_invoice")
        heard = {"suppliers": at, "erp": at + lag(self.writer.rng, "erp_posting")}
        return [self._told("supplier_invoiced", at, heard, invoice=invoice)]

    def _happens(self, kind: str, at: float, seen: dict[str, float], **data: Any) -> None:
        self.writer.add(self.part, at, kind, seen, **data)

    def _told(self, kind: str, at: float, seen: dict[str, float], **more: Any) -> Event:
        data: dict[str, Any] = {
            "purchase": self.number,
            "supplier": supplier_of(self.lines[0]["item"]),
            "location": None,
            "customer": self.part.customer,
            "order": self.part.order,
            "doc_no": self.part.doc_no,
            "lines": self.lines,
        }
        return Event(at, kind, self.number, data | more, seen)
