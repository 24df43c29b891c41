"""What the warehouse system holds: orders to pick, shipments, stock transactions, inventory."""

from __future__ import annotations

from typing import Any

from sandbox.carriers import HOUSE
from sandbox.catalogue import THIRD_PARTY, wms_sku
from sandbox.numbers import Numbers
from sandbox.settings import WMS_CLOCK_FAST_SECONDS
from sandbox.tables import Document, Table
from sandbox.views.base import View


def clock_ms(moment: float) -> int:
    """A moment on the warehouse's own clock, which runs fast, in milliseconds."""
    return int((moment + WMS_CLOCK_FAST_SECONDS) * 1000)


class WmsView(View):
    """Every change appends the whole document to its feed; inventory is a snapshot."""

    system = "wms"

    def __init__(self, numbers: Numbers) -> None:
        self.orders = Table(
            "orders",
            ("OrderNbr",),
            sequence_field="Seq",
            indexes=("HostOrder",),
            version_field="Version",
        )
        self.shipments = Table(
            "shipments",
            ("ShipNbr",),
            sequence_field="Seq",
            indexes=("OrderNbr",),
            version_field="Version",
        )
        self.transactions = Table(
            "transactions", ("TranId",), sequence_field="Seq", indexes=("Ref",)
        )
        self.items = Table("items", ("Sku",), sequence_field="Seq", version_field="Version")
        self.inventory = Table("inventory", ("Sku", "Whse"))
        super().__init__(
            numbers, (self.orders, self.shipments, self.transactions, self.items, self.inventory)
        )

    # Changes that events and writes over the interface have in common.

    def touch(self, table: Table, document: Document, stamp: float) -> None:
        """Store a changed document as its next version."""
        document["Version"] += 1
        document["UpdatedMs"] = clock_ms(stamp)
        table.put(document)

    def restate(self, table: Table, document: Document, stamp: float) -> None:
        self.touch(table, document, stamp)

    def create_order(
        self,
        number: str,
        host_order: str,
        whse: str,
        lines: list[Document],
        when: float,
        stamp: float,
        origin: str | None = None,
    ) -> Document:
        """A new order to pick. Lines hold HostLine, Sku, OrdQty and Uom; stock is allocated."""
        document = {
            "OrderNbr": number,
            "HostOrder": host_order,
            "Whse": whse,
            "Status": "NEW",
            "CreatedMs": clock_ms(when),
            "PickedMs": None,
            "PackedMs": None,
            "UpdatedMs": clock_ms(stamp),
            "Version": 1,
            "Origin": origin,
            "Lines": [
                {"LineNbr": position, **line} for position, line in enumerate(lines, start=1)
            ],
        }
        self.orders.put(document)
        self._allocate(document, 1)
        return document

    def cancel_order(self, number: str, stamp: float) -> Document:
        """Cancel an order and free its stock."""
        document = self.orders.edit(number)
        document["Status"] = "CANCELED"
        self.touch(self.orders, document, stamp)
        self._allocate(document, -1)
        return document

    def base_quantity(self, sku: str, qty: int, uom: str) -> int:
        """Eaches."""
        pack: int = self.items.edit(sku)["CasePack"] if uom == "CS" else 1
        return qty * pack

    def _allocate(self, order: Document, sign: int) -> None:
        for line in order["Lines"]:
            base = self.base_quantity(line["Sku"], line["OrdQty"], line["Uom"])
            self._shift(line["Sku"], order["Whse"], allocated=sign * base)

    def _shift(
        self, sku: str, whse: str, on_hand: int = 0, allocated: int = 0, damaged: int = 0
    ) -> None:
        position = self.inventory.edit(f"{sku}@{whse}")
        position["OnHand"] += on_hand
        position["Allocated"] += allocated
        position["Damaged"] += damaged
        self.inventory.put(position)

    def transact(
        self, item: int, whse: str, kind: str, qty: int, reason: str | None, ref: str, when: float
    ) -> None:
        """A line of the stock ledger, and the inventory that it changes."""
        self.transactions.put(
            {
                "TranId": self.numbers.next_int("transaction"),
                "Sku": wms_sku(item),
                "Whse": whse,
                "TranType": kind,
                "Qty": qty,
                "Reason": reason,
                "Ref": ref,
                "TranMs": clock_ms(when),
            }
        )
        # What is only set aside stays on hand.
        changed = {"damaged": qty} if kind == "HOLD" else {"on_hand": qty}
        self._shift(wms_sku(item), whse, **changed)

    # Events.

    def on_item_created(self, data: dict[str, Any], when: float, stamp: float) -> None:
        sku = wms_sku(data["item"])
        self.items.put(
            {
                "Sku": sku,
                "Gtin": data["gtin"],
                "Desc": data["title"],
                "CasePack": data["case_pack"],
                "WeightGrams": data["weight"],
                "Status": "ACTIVE",
                "Version": 1,
                "UpdatedMs": clock_ms(stamp),
            }
        )
        for location in data["locations"]:
            if location == THIRD_PARTY:
                continue
            self.inventory.put(
                {"Sku": sku, "Whse": location, "OnHand": 0, "Allocated": 0, "Damaged": 0}
            )

    def on_item_repacked(self, data: dict[str, Any], when: float, stamp: float) -> None:
        item = self.items.edit(wms_sku(data["item"]))
        item["CasePack"] = data["case_pack"]
        self.touch(self.items, item, stamp)

    def on_item_reweighed(self, data: dict[str, Any], when: float, stamp: float) -> None:
        item = self.items.edit(wms_sku(data["item"]))
        item["WeightGrams"] = data["weight"]
        self.touch(self.items, item, stamp)

    def on_item_blocked(self, data: dict[str, Any], when: float, stamp: float) -> None:
        item = self.items.edit(wms_sku(data["item"]))
        item["Status"] = "BLOCKED"
        self.touch(self.items, item, stamp)

    def on_item_doubled(self, data: dict[str, Any], when: float, stamp: float) -> None:
        """The same item once more, under another number."""
        first = self.items.edit(wms_sku(data["item"]))
        stamped = {"Version": 1, "UpdatedMs": clock_ms(stamp)}
        self.items.put({**first, "Sku": data["sku"], **stamped})

    def on_order_released(self, data: dict[str, Any], when: float, stamp: float) -> None:
        lines = [
            {
                "HostLine": line["line"] * 10,
                "Sku": wms_sku(line["item"]),
                "OrdQty": line["qty"] // line["pack"],
                "Uom": line["uom"],
            }
            for line in data["lines"]
        ]
        self.create_order(
            data["wms_order"], _host_order(data), data["location"], lines, when, stamp
        )

    def on_order_picked(self, data: dict[str, Any], when: float, stamp: float) -> None:
        order = self.orders.edit(data["wms_order"])
        order["Status"] = "PICKED"
        order["PickedMs"] = clock_ms(when)
        self.touch(self.orders, order, stamp)

    def on_order_packed(self, data: dict[str, Any], when: float, stamp: float) -> None:
        order = self.orders.edit(data["wms_order"])
        order["Status"] = "PACKED"
        order["PackedMs"] = clock_ms(when)
        self.touch(self.orders, order, stamp)

    def on_lines_cancelled(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self.cancel_order(data["wms_order"], stamp)

    def on_shipped(self, data: dict[str, Any], when: float, stamp: float) -> None:
        order = self.orders.edit(data["wms_order"])
        line_numbers = {line["HostLine"]: line["LineNbr"] for line in order["Lines"]}
        self.shipments.put(
            {
                "ShipNbr": data["shipment"],
                "OrderNbr": data["wms_order"],
                "HostOrder": order["HostOrder"],
                "Whse": data["location"],
                "Status": "SHIPPED",
                "ShippedMs": clock_ms(data.get("shipped_at", when)),
                "TrackingNbr": data["tracking"],
                "Carrier": data.get("carrier", HOUSE.scac),
                "UpdatedMs": clock_ms(stamp),
                "Version": 1,
                "Lines": [
                    {
                        "LineNbr": line_numbers[line["line"] * 10],
                        "HostLine": line["line"] * 10,
                        "Sku": wms_sku(line["item"]),
                        "Qty": line["qty"] // line["pack"],
                        "Uom": line["uom"],
                    }
                    for line in data["lines"]
                ],
            }
        )
        for line in data["lines"]:
            item, qty = line["item"], line["qty"]
            self.transact(item, data["location"], "SHIP", -qty, None, data["shipment"], when)
        if data["last"]:
            self._allocate(order, -1)
            order["Status"] = "SHIPPED"
            self.touch(self.orders, order, stamp)

    def on_shipment_resent(self, data: dict[str, Any], when: float, stamp: float) -> None:
        """The same document once more, nothing in it changed."""
        self.shipments.put(self.shipments.edit(data["shipment"]))

    def on_shipment_redated(self, data: dict[str, Any], when: float, stamp: float) -> None:
        shipment = self.shipments.edit(data["shipment"])
        shipment["ShippedMs"] = clock_ms(data["shipped_at"])
        self.touch(self.shipments, shipment, stamp)

    def on_stock_received(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self.transact(data["item"], data["location"], "RCPT", data["qty"], None, data["ref"], when)

    def on_stock_adjusted(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self.transact(
            data["item"], data["location"], "ADJ", data["qty"], data["reason"], data["ref"], when
        )

    def on_stock_miscounted(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self.on_stock_adjusted(data, when, stamp)

    def on_stock_blocked(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self.transact(data["item"], data["location"], "HOLD", data["qty"], "DMG", data["ref"], when)

    def on_stock_drifted(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self._shift(wms_sku(data["item"]), data["location"], on_hand=data["qty"])


def _host_order(data: dict[str, Any]) -> str:
    """How the ERP calls the order towards the warehouse: by its number, unless it says more."""
    number: str = data.get("host_order") or data["doc_no"]
    return number
