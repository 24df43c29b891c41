"""tryton keeps the contract, against the real Tryton 8.2 (pytest -m real)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
from contract_subject import Subject
from contract_suite import (
    CorrectionContract,
    CursorContract,
    DeletionContract,
    HttpCorrectionContract,
    HttpReadingContract,
    ReadingContract,
)
from faulty_proxy import Asked

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "real"))

from tryton_company import TrytonCompany, correction, running_company

from connectors.base import CorrectionRequest
from real.tryton.people import Company
from registry.systems import System

pytestmark = pytest.mark.real

_amounts = count(1)


class TrytonSubject(Subject):
    """One database. A correction is several calls; ``decisive`` are those that carry it."""

    connector = "tryton"
    role: ClassVar[str]
    decisive: ClassVar[tuple[bytes, ...]]

    def __init__(self, company: TrytonCompany) -> None:
        self.company = company
        self.base_url = company.databases[self.role].url
        self.environment = company.environment(self.role)

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Self]:
        company = running_company()
        company.trade()
        yield cls(company)

    def system(self, **changes: Any) -> System:
        return self.company.system(self.role, **changes)

    def is_write(self, asked: Asked) -> bool:
        return any(name in asked.body for name in self.decisive)

    def adjustment(self, people: Company) -> CorrectionRequest:
        held = people.on_hand("EAST")["SKU-005"]
        return correction(
            "adjust_stock",
            target_item="SKU-005",
            target_location="EAST",
            quantity_delta="-1",
            expected_quantity=str(held),
            new_quantity=str(held - 1),
        )

    def adjustments(self, people: Company, request: CorrectionRequest) -> int:
        key = request.idempotency_key.removeprefix("tly-")[:12].upper()
        reference = ("reference", "=", f"TLY-{key}")
        done = ("state", "=", "done")
        return len(people.session.search("stock.shipment.internal", reference, done))


class TrytonErp(TrytonSubject):
    role = "erp"
    decisive = (
        b'"model.sale.sale.quote"',
        b'"model.sale.sale.cancel"',
        b'"model.sale.sale.write"',
        b'"model.stock.shipment.out.do"',
        b'"model.stock.shipment.internal.do"',
        b'"model.account.invoice.post"',
    )
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
        return self.adjustment(company.office)

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
        return self.adjustments(self.company.office, request)


class TrytonWms(TrytonSubject):
    role = "wms"
    decisive = (
        b'"model.stock.shipment.out.wait"',
        b'"model.stock.shipment.internal.do"',
    )
    entities = (
        *("locations", "parties", "products", "warehouse_order_lines", "shipment_lines"),
        *("receipt_lines", "count_lines", "stock_movements", "stock"),
    )
    moving = ("warehouse_order_lines", "receipt_lines")
    deletable = ("warehouse_order_lines",)
    kinds = ("create_warehouse_order", "adjust_stock")
    reversible = frozenset(kinds)

    def make(self, entity: str, count: int) -> list[str]:
        floor, orders = self.company.floor, [self.company.order(3) for _ in range(count)]
        if entity == "warehouse_order_lines":
            shipments = floor.create_orders(orders)
            return self._moves_of("stock.shipment.out", shipments, "to_location", "customer")
        deliveries = [
            floor.delivery(order.reference, "S001", order.warehouse, order.lines)
            for order in orders
        ]
        shipments = floor.session.create("stock.shipment.in", *deliveries)
        floor.session.click("stock.shipment.in", "receive", shipments)
        return self._moves_of("stock.shipment.in", shipments, "from_location", "supplier")

    def _moves_of(self, model: str, shipments: list[int], end: str, outside: str) -> list[str]:
        moves = self.company.floor.session.search(
            "stock.move",
            ("shipment", "in", [f"{model},{shipment}" for shipment in shipments]),
            (f"{end}.type", "=", outside),
        )
        return [str(move) for move in moves]

    def delete(self, entity: str, record_id: str) -> None:
        self.company.floor.session("model.stock.move.delete", [int(record_id)])

    def correction(self, kind: str) -> CorrectionRequest:
        if kind == "adjust_stock":
            return self.adjustment(self.company.floor)
        line = {"host_line": "1", "target_item": "SKU-001", "quantity": "3", "uom": "EA"}
        return correction(
            kind,
            host_order=self.company.order(3).reference,
            location="EAST",
            lines=[line],
        )

    def effects(self, request: CorrectionRequest) -> int:
        if request.kind == "adjust_stock":
            return self.adjustments(self.company.floor, request)
        return len(
            self.company.floor.session.search(
                "stock.shipment.out",
                ("reference", "=", request.payload["host_order"]),
                ("state", "=", "waiting"),
            )
        )


class TestTrytonErp(
    ReadingContract,
    CursorContract,
    DeletionContract,
    HttpReadingContract,
    CorrectionContract,
    HttpCorrectionContract,
):
    subject_class = TrytonErp


class TestTrytonWms(
    ReadingContract,
    CursorContract,
    DeletionContract,
    HttpReadingContract,
    CorrectionContract,
    HttpCorrectionContract,
):
    subject_class = TrytonWms
