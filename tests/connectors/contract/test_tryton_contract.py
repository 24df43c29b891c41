"""tryton keeps the contract, against the real Tryton 8.2 (pytest -m real)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, Self

import pytest
from contract_subject import Subject
from contract_suite import (
    CorrectionContract,
    DeletionContract,
    HttpCorrectionContract,
    HttpReadingContract,
    ReadingContract,
)
from faulty_proxy import Asked

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "real"))

from tryton_company import TrytonCompany, correction, running_company

from connectors.base import CorrectionRequest
from registry.systems import System

pytestmark = pytest.mark.real

# A correction is several calls; the last of them is the one that carries it.
DECISIVE = (
    b'"model.sale.sale.quote"',
    b'"model.sale.sale.cancel"',
    b'"model.sale.sale.write"',
    b'"model.stock.shipment.out.do"',
    b'"model.stock.shipment.internal.do"',
    b'"model.account.invoice.post"',
)
_amounts = count(1)


class TrytonErp(Subject):
    connector = "tryton"
    entities = (
        *("locations", "parties", "products", "sale_lines", "fulfilment_lines", "invoice_lines"),
        *("purchase_lines", "count_lines", "stock_movements", "stock"),
    )
    moving = ("products", "sale_lines", "stock_movements")
    deletable = ("sale_lines",)
    kinds = (
        "create_order",
        "cancel_order",
        "update_price",
        "create_fulfilment",
        "create_invoice",
        "adjust_stock",
        "set_reference",
    )
    # What was received or invoiced leaves a trail of two documents; these leave none.
    reversible = frozenset(
        {"create_order", "cancel_order", "update_price", "adjust_stock", "set_reference"}
    )

    def __init__(self, company: TrytonCompany) -> None:
        self.company = company
        self.base_url = company.databases["erp"].url
        self.environment = company.environment("erp")

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Self]:
        company = running_company()
        company.trade()
        yield cls(company)

    def system(self, **changes: Any) -> System:
        return self.company.system("erp", **changes)

    # ---- reading ---------------------------------------------------------------------------

    def make(self, entity: str, count: int) -> list[str]:
        office = self.company.office
        if entity == "products":
            rows = office.session.find("product.product", ["template"], ("type", "=", "goods"))
            some = rows[:count]
            office.session.write(
                "product.template",
                [row["template"] for row in some],
                {"list_price": Decimal(1000 + next(_amounts)) / 8},
            )
            return [str(row["id"]) for row in some]
        if entity == "sale_lines":
            session = office.session
            orders = [self.company.order(1 + next(_amounts) % 7) for _ in range(count)]
            sales = session.create("sale.sale", *(office.draft(order) for order in orders))
            return [str(line) for line in session.search("sale.line", ("sale", "in", sales))]
        held = office.on_hand("WEST")
        some_items = {sku: int(held[sku]) - 1 for sku in sorted(held)[:count]}
        return [f"{move}/out" for move in self._moves_of(office.count("WEST", some_items))]

    def _moves_of(self, number: str) -> list[int]:
        return self.company.office.session.search(
            "stock.move", ("origin.inventory.number", "=", number, "stock.inventory.line")
        )

    def delete(self, entity: str, record_id: str) -> None:
        self.company.office.session("model.sale.line.delete", [int(record_id)])

    # ---- corrections -----------------------------------------------------------------------

    def correction(self, kind: str) -> CorrectionRequest:
        company = self.company
        match kind:
            case "create_order":
                line = {"line_no": "1", "target_item": "SKU-001", "quantity": "3"}
                return correction(
                    kind,
                    order_number=company.order(1).reference,
                    customer_ref="C002",
                    currency="USD",
                    lines=[{**line, "uom": "EA", "unit_price": "12.5"}],
                )
            case "cancel_order":
                return correction(kind, order_record=company.quoted(1)[2])
            case "update_price":
                return correction(
                    kind,
                    order_record=company.quoted(1)[2],
                    line_record="1",
                    unit_price="5.75",
                    old_unit_price="6",
                )
            case "create_fulfilment":
                _, _, number = company.released(2)
                return correction(
                    kind,
                    order_record=number,
                    document=f"WD-{number}",
                    target_location="EAST",
                    lines=[{"line_record": "1", "quantity": "2"}],
                )
            case "create_invoice":
                _, _, number, document = company.fulfilled(2)
                return correction(
                    kind,
                    order_record=number,
                    document=document,
                    lines=[{"line_record": "1", "quantity": "2"}],
                )
            case "set_reference":
                order = company.order(1)
                (sale,) = company.office.book([replace(order, reference="")])
                return correction(
                    kind,
                    order_record=company.office.numbers([sale])[0],
                    reference=order.reference,
                )
        held = company.office.on_hand("EAST")["SKU-005"]
        return correction(
            kind,
            target_item="SKU-005",
            target_location="EAST",
            quantity_delta="-1",
            expected_quantity=str(held),
            new_quantity=str(held - 1),
        )

    def effects(self, request: CorrectionRequest) -> int:
        payload, session = request.payload, self.company.office.session
        match request.kind:
            case "set_reference":
                reference = ("reference", "=", payload["reference"])
                return len(session.search("sale.sale", reference))
            case "create_order":
                reference = ("reference", "=", payload["order_number"])
                return len(session.search("sale.sale", reference, ("state", "=", "quotation")))
            case "cancel_order":
                number = ("number", "=", payload["order_record"])
                return len(session.search("sale.sale", number, ("state", "=", "cancelled")))
            case "update_price":
                lines = session.find(
                    "sale.line",
                    ["unit_price"],
                    ("sale.number", "=", payload["order_record"]),
                    ("sale.state", "=", "quotation"),
                )
                return sum(line["unit_price"] == Decimal("5.75") for line in lines)
            case "create_fulfilment":
                reference = ("reference", "=", payload["document"])
                return len(session.search("stock.shipment.out", reference, ("state", "=", "done")))
            case "create_invoice":
                charged = (
                    "lines.stock_moves.shipment.reference",
                    "=",
                    payload["document"],
                    "stock.shipment.out",
                )
                return len(session.search("account.invoice", charged, ("state", "=", "posted")))
        key = request.idempotency_key.removeprefix("tly-")[:12].upper()
        reference = ("reference", "=", f"TLY-{key}")
        return len(session.search("stock.shipment.internal", reference, ("state", "=", "done")))

    def is_write(self, asked: Asked) -> bool:
        return any(name in asked.body for name in DECISIVE)


class TestTrytonErp(
    ReadingContract,
    DeletionContract,
    HttpReadingContract,
    CorrectionContract,
    HttpCorrectionContract,
):
    subject_class = TrytonErp
