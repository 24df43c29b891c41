"""What the ERP holds of what settles invoices: credit memos and payments, in one list."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.clock import local_naive
from sandbox.numbers import Numbers
from sandbox.tables import Document, Table
from sandbox.views.base import Books
from sandbox.views.erp import price, quantity

CREDIT, PAYMENT = "C", "P"

_CENT = Decimal("0.01")


class ErpSettlements(Books):
    """Credit memos (C) and payments (P), each posted against lines of one invoice."""

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers
        self.settlements = Table(
            "settlements",
            ("set_no",),
            order_field="modified",
            indexes=("inv_no", "doc_no", "rma_no"),
        )
        super().__init__(self.settlements)

    def post(
        self,
        header: Document,
        lines: list[Document],
        when: float,
        stamp: float,
        cents_off: int = 0,
    ) -> Document:
        """A new settlement. ``header``: its own fields; lines hold pos, qty and prc as texts.

        ``cents_off``: how far its amount is off the sum of its lines.
        """
        amount = sum((Decimal(line["qty"]) * Decimal(line["prc"]) for line in lines), Decimal(0))
        amount += Decimal(cents_off) * _CENT
        document = {
            "set_no": None,
            "typ": CREDIT,
            "doc_no": None,
            "inv_no": None,
            "rma_no": None,
            "reason": None,
            "cust_no": None,
            "bank_ref": None,
            "posted": local_naive(when),
            "stat": "P",
            "voided": None,
            "amt": f"{amount.quantize(_CENT, ROUND_HALF_UP):f}",
            "curr": "USD",
            "modified": local_naive(stamp),
            "row_version": 1,
            "origin": None,
            **header,
            "lines": lines,
        }
        self.settlements.put(document)
        return document

    def void(self, set_no: str, now: float) -> Document:
        """Take a settlement back."""
        document = self.settlements.edit(set_no)
        document["stat"] = "V"
        document["voided"] = document["modified"] = local_naive(now)
        document["row_version"] += 1
        self.settlements.put(document)
        return document

    def on_return_credited(self, data: dict[str, Any], when: float, stamp: float) -> None:
        """The goods of a return are credited, or, without one, something is let to the customer."""
        header = {
            "set_no": data["credit"],
            "doc_no": data["doc_no"],
            "inv_no": data["invoice"],
            "rma_no": data.get("return"),
            "reason": data["reason"],
        }
        self.post(header, _lines(data), when, stamp)

    def on_paid(self, data: dict[str, Any], when: float, stamp: float) -> None:
        header = {
            "set_no": data["payment"],
            "typ": PAYMENT,
            "doc_no": data["doc_no"],
            "inv_no": data["invoice"],
            "cust_no": data["customer"][1:],
            "bank_ref": data["bank_ref"],
        }
        self.post(header, _lines(data), when, stamp, data["cents_off"])


def _lines(data: dict[str, Any]) -> list[Document]:
    return [
        {
            "pos": line["line"] * 10,
            "qty": quantity(line["qty"]),
            "prc": price(line["price"]),
        }
        for line in data["lines"]
    ]
