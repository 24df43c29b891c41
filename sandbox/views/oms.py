"""What the order management system holds: orders with their lines, and products."""

from __future__ import annotations

from typing import Any

from sandbox.catalogue import oms_sku, ship_to
from sandbox.clock import DAY, iso_utc
from sandbox.numbers import Numbers
from sandbox.tables import Document, Table
from sandbox.views.base import View

PROMISED_WITHIN = 5 * DAY
"""How long after a parcel has left its customer is promised to have it."""

ASKED, RESERVED, BACKORDERED, RELEASED = "ASKED", "RESERVED", "BACKORDERED", "RELEASED"
"""What became of the units that a line asked its stock keeper for."""


def money(cents: int) -> str:
    """``12.50``."""
    return f"{cents // 100}.{cents % 100:02d}"


def reserve(line: Document, state: str, when: float) -> None:
    """The stock keeper's answer on a line, and when it came."""
    line["reservation"] = state
    line["reservationAt"] = iso_utc(when)


def release(line: Document, when: float) -> None:
    """A line that is given up gives up its units."""
    if line["reservation"] in (ASKED, RESERVED, BACKORDERED):
        reserve(line, RELEASED, when)


def restate(order: Document) -> None:
    """Derive the order's status from its lines'. A cancelled line no longer counts."""
    states = {line["status"] for line in order["lines"]} - {"CANCELLED"}
    if not states:
        order["status"] = "CANCELLED"
    elif states == {"DELIVERED"}:
        order["status"] = "DELIVERED"
    elif states <= {"SHIPPED", "DELIVERED"}:
        order["status"] = "SHIPPED"
    elif states & {"SHIPPED", "DELIVERED"} or order["status"] == "PART_SHIPPED":
        order["status"] = "PART_SHIPPED"
    elif order["acceptedAt"] is not None:
        order["status"] = "ACCEPTED"
    else:
        order["status"] = "PLACED"


class OmsView(View):
    """Orders by ``ord_100123``, products by SKU."""

    system = "oms"

    def __init__(self, numbers: Numbers) -> None:
        self.orders = Table("orders", ("id",), order_field="updatedAt", indexes=("orderNumber",))
        self.products = Table("products", ("sku",), order_field="updatedAt")
        super().__init__(numbers, (self.orders, self.products))

    def touch(self, document: Document, stamp: float) -> None:
        """Store a changed document as its next version."""
        document["version"] += 1
        document["updatedAt"] = iso_utc(stamp)
        self.tables["orders" if "lines" in document else "products"].put(document)

    def restate(self, table: Table, document: Document, stamp: float) -> None:
        self.touch(document, stamp)

    def on_item_created(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self.products.put(
            {
                "sku": oms_sku(data["item"]),
                "gtin": data["gtin"],
                "title": data["title"],
                "uom": "EA",
                "listPrice": money(data["price"]),
                "currency": "USD",
                "updatedAt": iso_utc(stamp),
                "version": 1,
            }
        )

    def on_item_repriced(self, data: dict[str, Any], when: float, stamp: float) -> None:
        product = self.products.edit(oms_sku(data["item"]))
        product["listPrice"] = money(data["price"])
        self.touch(product, stamp)

    def on_order_placed(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self.orders.put(
            {
                "id": order_id(data["order"]),
                "orderNumber": data["order"],
                "channel": data["channel"],
                "customerRef": data["customer"],
                "customerPo": data["po"],
                "region": "US",
                "shipTo": ship_to(data["po"]),
                "currency": "USD",
                "status": "PLACED",
                "placedAt": iso_utc(when),
                "acceptedAt": None,
                "updatedAt": iso_utc(stamp),
                "version": 1,
                "lines": [
                    {
                        "lineNo": line["line"],
                        "sku": line.get("sku") or oms_sku(line["item"]),
                        "qty": line["qty"],
                        "uom": "EA",
                        "unitPrice": money(line["price"]),
                        "status": "PLACED",
                        "reservation": None,
                        "reservationAt": None,
                        "promisedBy": None,
                        "cancelledAt": None,
                        "exceptionAt": None,
                        "deliveredAt": None,
                        **{key: line[key] for key in ("replaces",) if key in line},
                    }
                    for line in data["lines"]
                ],
            }
        )

    def on_order_accepted(self, data: dict[str, Any], when: float, stamp: float) -> None:
        order = self.orders.edit(order_id(data["order"]))
        order["acceptedAt"] = iso_utc(when)
        order["status"] = "ACCEPTED"
        for line in order["lines"]:
            if line["status"] == "PLACED":
                line["status"] = "ACCEPTED"
                # What a supplier ships needs no stock of ours.
                if line["lineNo"] in data.get("drop_shipped", ()):
                    continue
                lacking = line["lineNo"] in data.get("backordered", ())
                answer = BACKORDERED if lacking else RESERVED
                reserve(line, ASKED if data.get("unanswered") else answer, when)
        self.touch(order, stamp)

    def on_lines_reserved(self, data: dict[str, Any], when: float, stamp: float) -> None:
        order = self.orders.edit(order_id(data["order"]))
        for line in order["lines"]:
            if line["lineNo"] in data["lines"] and line["reservation"] == BACKORDERED:
                reserve(line, RESERVED, when)
        self.touch(order, stamp)

    def on_shipped(self, data: dict[str, Any], when: float, stamp: float) -> None:
        order = self.orders.edit(order_id(data["order"]))
        complete = {line["line"] for line in data["lines"] if line["last"]}
        sent = {line["line"] for line in data["lines"]}
        for line in order["lines"]:
            if line["lineNo"] in sent:
                line["promisedBy"] = iso_utc(when + PROMISED_WITHIN)
            if line["lineNo"] in complete and line["status"] == "ACCEPTED":
                line["status"] = "SHIPPED"
        order["status"] = "PART_SHIPPED"
        restate(order)
        self.touch(order, stamp)

    def on_parcel_scanned(self, data: dict[str, Any], when: float, stamp: float) -> None:
        """The OMS is told of deliveries, and of what delays them."""
        order = self.orders.edit(order_id(data["order"]))
        if data["code"] == "EX":
            self._delayed(order, data, stamp)
            return
        delivered = iso_utc(data["scanned_at"])
        if data.get("day_only"):
            delivered = delivered[:10] + "T00:00:00.000Z"
        for line in order["lines"]:
            if line["lineNo"] in data["completes"] and line["status"] != "CANCELLED":
                line["deliveredAt"] = delivered
                line["status"] = "DELIVERED"
        restate(order)
        self.touch(order, stamp)

    def _delayed(self, order: Document, data: dict[str, Any], stamp: float) -> None:
        for line in order["lines"]:
            if line["lineNo"] in data["completes"] and line["status"] != "CANCELLED":
                line["exceptionAt"] = iso_utc(data["scanned_at"])
                if "expected_at" in data:
                    line["promisedBy"] = iso_utc(data["expected_at"])
        self.touch(order, stamp)

    def on_lines_cancelled(self, data: dict[str, Any], when: float, stamp: float) -> None:
        order = self.orders.edit(order_id(data["order"]))
        for line in order["lines"]:
            if line["lineNo"] in data["lines"]:
                # Whoever enters a cancellation late may give it the day on which it was made.
                line["cancelledAt"] = iso_utc(when - data.get("dated_earlier", 0.0))
                line["status"] = "CANCELLED"
                if not data.get("kept_reserved"):
                    release(line, when)
        restate(order)
        self.touch(order, stamp)

    def on_line_repriced(self, data: dict[str, Any], when: float, stamp: float) -> None:
        order = self.orders.edit(order_id(data["order"]))
        order["lines"][data["line"] - 1]["unitPrice"] = money(data["price"])
        self.touch(order, stamp)

    def on_line_quantity_changed(self, data: dict[str, Any], when: float, stamp: float) -> None:
        order = self.orders.edit(order_id(data["order"]))
        order["lines"][data["line"] - 1]["qty"] = data["qty"]
        self.touch(order, stamp)

    def on_line_substituted(self, data: dict[str, Any], when: float, stamp: float) -> None:
        order = self.orders.edit(order_id(data["order"]))
        order["lines"][data["line"] - 1]["sku"] = oms_sku(data["item"])
        self.touch(order, stamp)


def order_id(order_number: str) -> str:
    """``ord_100123`` of ``SO-100123``."""
    return "ord_" + order_number[3:]
