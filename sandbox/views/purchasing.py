"""What ERP and WMS hold of purchasing: orders, receipts, invoices, notices."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sandbox.catalogue import ERP_WAREHOUSE, erp_item, erp_system, is_eaches_only, wms_sku
from sandbox.clock import local_naive
from sandbox.tables import Document, Table
from sandbox.views.base import Books
from sandbox.views.erp import ErpView, price, quantity
from sandbox.views.wms import clock_ms

ORDERED, ACKNOWLEDGED, PART_RECEIVED, RECEIVED, INVOICED = 20, 30, 40, 50, 60


REORDER_POINT = 40
"""Units of an item at a place below which the ERP wants more ordered: the buyer never waits so
long."""


class ErpPurchasing(Books):
    """Purchase orders with what of them was promised, received and billed; and those documents.

    Stock then also tells what is on order, and the reorder point of items that never move in cases
    (what moves in cases is ordered by other means), once they have been there.
    """

    def __init__(self, erp: ErpView) -> None:
        self.erp = erp
        self.orders = Table(
            "purchase_orders", ("po_no",), order_field="modified", indexes=("vend_no",)
        )
        self.receipts = Table(
            "goods_receipts", ("rcpt_no",), order_field="modified", indexes=("po_no",)
        )
        self.invoices = Table(
            "vendor_invoices", ("vinv_no",), order_field="modified", indexes=("po_no",)
        )
        super().__init__(self.orders, self.receipts, self.invoices)

    def on_purchase_ordered(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self.orders.put(
            {
                "po_no": data["purchase"],
                "vend_no": data["supplier"],
                # None: the supplier ships to a customer.
                "whs": ERP_WAREHOUSE[data["location"]] if data["location"] else None,
                "stat": ORDERED,
                "ordered": local_naive(when),
                "acked": None,
                "promised": local_naive(data["promised_at"])[:10],
                "curr": "USD",
                "modified": local_naive(stamp),
                "row_version": 1,
                "lines": [
                    {
                        "pos": line["line"] * 10,
                        "item_no": erp_item(line["item"]),
                        "ord_qty": quantity(line["qty"]),
                        "ack_qty": None,
                        "rcv_qty": quantity(0),
                        "inv_qty": quantity(0),
                        "um": "EA",
                        "prc": price(line["cost"]),
                        **(
                            {"so_no": data["doc_no"], "so_pos": line["for"] * 10}
                            if "for" in line
                            else {}
                        ),
                    }
                    for line in data["lines"]
                ],
            }
        )

        for line in data["lines"] if data["location"] else ():
            self._on_order(line["item"], data["location"], line["qty"])

    def on_purchase_acknowledged(self, data: dict[str, Any], when: float, stamp: float) -> None:
        order = self.orders.edit(data["purchase"])
        order["acked"] = local_naive(when)
        order["promised"] = local_naive(data["promised_at"])[:10]
        order["stat"] = ACKNOWLEDGED
        for line in data["lines"]:
            order["lines"][line["line"] - 1]["ack_qty"] = quantity(line["qty"])
        self._touch(order, stamp)

    def on_stock_received(self, data: dict[str, Any], when: float, stamp: float) -> None:
        # What was never there is no item of stock yet.
        if is_eaches_only(data["item"]):
            balance = self.erp.stock.edit(_position(data["item"], data["location"]))
            balance["rop"] = quantity(REORDER_POINT)
            self.erp.stock.put(balance)
        # Opening stock and what nobody ordered have no purchase order.
        if "purchase" not in data:
            return
        order = self.orders.edit(data["purchase"])
        self.receipts.put(
            {
                "rcpt_no": data["ref"],
                "po_no": data["purchase"],
                "pos": data["line"] * 10,
                "item_no": erp_item(data["item"]),
                "whs": ERP_WAREHOUSE[data["location"]],
                "qty": quantity(data["qty"]),
                "asn_no": data["notice"],
                "posted": local_naive(when),
                "modified": local_naive(stamp),
            }
        )
        self._add(order["lines"][data["line"] - 1], "rcv_qty", data["qty"])
        self._on_order(data["item"], data["location"], -data["qty"])
        complete = all(
            _number(line["rcv_qty"]) >= _number(line["ord_qty"]) for line in order["lines"]
        )
        order["stat"] = RECEIVED if complete else PART_RECEIVED
        self._touch(order, stamp)

    def on_supplier_invoiced(self, data: dict[str, Any], when: float, stamp: float) -> None:
        cents = sum(line["qty"] * line["cost"] for line in data["lines"])
        self.invoices.put(
            {
                "vinv_no": data["invoice"],
                "po_no": data["purchase"],
                "vend_no": data["supplier"],
                "posted": local_naive(when),
                "amt": f"{cents // 100}.{cents % 100:02d}",
                "curr": "USD",
                "modified": local_naive(stamp),
                "lines": [
                    {
                        "pos": line["line"] * 10,
                        "qty": quantity(line["qty"]),
                        "prc": price(line["cost"]),
                    }
                    for line in data["lines"]
                ],
            }
        )
        order = self.orders.edit(data["purchase"])
        for line in data["lines"]:
            self._add(order["lines"][line["line"] - 1], "inv_qty", line["qty"])
        order["stat"] = INVOICED
        self._touch(order, stamp)

    def _on_order(self, item: int, location: str, qty: int) -> None:
        # What it buys for others is no stock of its own.
        if erp_system(location) == self.erp.system:
            self.erp.shift_balance(erp_item(item), ERP_WAREHOUSE[location], Decimal(qty), "qoo")

    def _add(self, line: Document, field: str, qty: int) -> None:
        line[field] = quantity(_number(line[field]) + qty)

    def _touch(self, order: Document, stamp: float) -> None:
        order["row_version"] += 1
        order["modified"] = local_naive(stamp)
        self.orders.put(order)


class WmsPurchasing(Books):
    """What is expected at the dock, by shipping notice, and what came of it."""

    def __init__(self) -> None:
        self.receipts = Table("receipts", ("RcptNbr",), sequence_field="Seq", indexes=("HostPo",))
        super().__init__(self.receipts)

    def on_shipment_announced(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self.receipts.put(
            {
                "RcptNbr": data["notice"],
                "HostPo": data["purchase"],
                "Vendor": data["supplier"],
                "Whse": data["location"],
                "Status": "EXPECTED",
                "AnnouncedMs": clock_ms(when),
                "ReceivedMs": None,
                "UpdatedMs": clock_ms(stamp),
                "Version": 1,
                "Lines": [
                    {
                        "LineNbr": line["line"],
                        "HostLine": line["line"] * 10,
                        "Sku": wms_sku(line["item"]),
                        "ExpQty": line["qty"],
                        "RcvQty": 0,
                        "RefQty": 0,
                        "RcvMs": None,
                        "Uom": "EA",
                        "Ref": None,
                    }
                    for line in data["lines"]
                ],
            }
        )

    def on_stock_received(self, data: dict[str, Any], when: float, stamp: float) -> None:
        if "notice" not in data:
            return
        receipt = self.receipts.edit(data["notice"])
        line = receipt["Lines"][data["line"] - 1]
        line["RcvQty"] += data["qty"]
        line["RefQty"] += data.get("refused", 0)
        line["RcvMs"] = clock_ms(when)
        line["Ref"] = data["ref"]
        receipt["Status"] = "RECEIVING"
        if all(line["RcvQty"] >= line["ExpQty"] for line in receipt["Lines"]):
            receipt["Status"] = "RECEIVED"
            receipt["ReceivedMs"] = clock_ms(when)
        receipt["Version"] += 1
        receipt["UpdatedMs"] = clock_ms(stamp)
        self.receipts.put(receipt)


def _position(item: int, location: str) -> str:
    return f"{erp_item(item)}@{ERP_WAREHOUSE[location]}"


def _number(text: str) -> Decimal:
    return Decimal(text)
