"""What the ERP of the region north holds: the same books as the other ERP's, numbered by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal

from sandbox.tables import Document, Table
from sandbox.views.erp import ErpView

NAME = "erp_north"

SALE, ISSUE, INVOICE, PAYMENT, MOVEMENT = "S", "F", "I", "P", "M"
"""Kinds of lines that it writes out."""

STATES = {10: "OP", 20: "BK", 30: "RL", 40: "FU", 50: "IN", 90: "CA"}
"""Its letters for the states of an order line."""

COLUMNS = (
    "KIND",
    "NUMBER",
    "LINE",
    "DOC",
    "DOC_LINE",
    "ORDER",
    "ORDER_LINE",
    "WMS_REF",
    "SHIPMENT",
    "ITEM",
    "PLACE",
    "QTY",
    "UM",
    "PRICE",
    "CURR",
    "CUSTOMER",
    "CUST_PO",
    "STATE",
    "ENTERED",
    "HELD",
    "CHECKED",
    "BOOKED",
    "RELEASED",
    "CANCELLED",
    "POSTED",
    "REVERSED",
    "CHANGED",
    "MOVEMENT",
    "REASON",
    "BANK_REF",
)
STOCK_COLUMNS = ("ITEM", "PLACE", "QOH", "QBLK", "AS_OF")

Line = dict[str, str | int | None]


class NorthErpView(ErpView):
    """A legacy ERP: it has no interface, it writes files (``sandbox/drops.py``)."""

    system = NAME

    def lines_since(self, modified: str) -> Iterator[Line]:
        """Every line of the documents changed at that local time or later, as it writes them."""
        for document in _changed(self.orders, modified):
            yield from self._sale(document)
        for table, kind, number in (
            (self.fulfilments, ISSUE, "ful_no"),
            (self.invoices, INVOICE, "inv_no"),
        ):
            for document in _changed(table, modified):
                yield from self._posted(document, kind, number)
        if "settlements" in self.tables:
            for document in _changed(self.tables["settlements"], modified):
                yield from self._posted(document, PAYMENT, "set_no")
        for document in _changed(self.movements, modified):
            yield self._moved(document)

    def balances(self, as_of: str) -> Iterator[Line]:
        """What is on hand of each item."""
        for position in self.stock.ids():
            held = self.stock.edit(position)
            yield {
                "ITEM": self._gtin(held["item_no"]),
                "PLACE": held["whs"],
                "QOH": held["qoh"],
                "QBLK": held["qblk"],
                "AS_OF": as_of,
            }

    def _sale(self, document: Document) -> Iterator[Line]:
        for line in document["lines"]:
            yield {
                "KIND": SALE,
                "NUMBER": document["doc_no"],
                "LINE": line["pos"],
                "DOC": document["doc_no"],
                "DOC_LINE": line["pos"],
                "ORDER": document["ext_ref"],
                "ORDER_LINE": line["ext_line"],
                "WMS_REF": f"N1-{document['doc_no']}",
                "ITEM": self._gtin(line["item_no"]),
                "PLACE": document["whs"],
                "QTY": line["ord_qty"],
                "UM": line["um"],
                "PRICE": line["prc"],
                "CURR": document["curr"],
                "CUSTOMER": document["cust_no"],
                "CUST_PO": document["cust_po"],
                "STATE": STATES[line["stat"]],
                "ENTERED": document["entered"],
                "HELD": document["held"],
                "CHECKED": document["validated"],
                "BOOKED": document["booked"],
                "RELEASED": document["released"],
                "CANCELLED": line["cancelled"] or document["cancelled"],
                "CHANGED": document["modified"],
            }

    def _posted(self, document: Document, kind: str, number: str) -> Iterator[Line]:
        for line in document["lines"]:
            yield {
                "KIND": kind,
                "NUMBER": document[number],
                "LINE": line["pos"],
                "DOC": document["doc_no"],
                "DOC_LINE": line["pos"],
                # A payment answers an invoice, the others a shipment.
                "SHIPMENT": document.get("ship_ref") or document.get("inv_no"),
                "PLACE": document.get("whs"),
                "QTY": line["qty"],
                "UM": "EA",
                "PRICE": line.get("prc"),
                "CURR": document.get("curr"),
                "CUSTOMER": document.get("cust_no"),
                "STATE": document["stat"],
                "POSTED": document["posted"],
                "REVERSED": document.get("reversed") or document.get("voided"),
                "CHANGED": document["modified"],
                "BANK_REF": document.get("bank_ref"),
            }

    def _moved(self, document: Document) -> Line:
        return {
            "KIND": MOVEMENT,
            "NUMBER": document["mv_no"],
            "LINE": 1,
            "SHIPMENT": document["ref"],
            "ITEM": self._gtin(document["item_no"]),
            "PLACE": document["whs"],
            "QTY": document["qty"],
            "UM": "EA",
            "STATE": "P",
            "POSTED": document["posted"],
            "CHANGED": document["modified"],
            "MOVEMENT": document["mv_type"],
            "REASON": document["reason"],
        }

    def _gtin(self, item_no: str) -> str:
        gtin: str = self.items.edit(item_no)["gtin"]
        return gtin


def total(lines: list[Line], column: str) -> str:
    """The control total of a column."""
    return f"{sum((Decimal(str(line[column])) for line in lines), Decimal(0)):f}"


def _changed(table: Table, modified: str) -> list[Document]:
    texts, _ = table.page_from(modified, 0, len(table))
    return [json.loads(text) for text in texts]
