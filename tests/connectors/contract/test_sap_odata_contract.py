"""sap_odata keeps the contract, against mock-sap: a third party's mock of the wire, not SAP."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

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
from mock_sap import ENVIRONMENT, MockSap, running_mock_sap

from connectors.base import CorrectionRequest
from registry.systems import System


class SapOData(Subject):
    connector = "sap_odata"
    entities = (
        "products",
        "sales_order_items",
        "delivery_items",
        "billing_items",
        "purchase_order_items",
    )
    moving = ("sales_order_items", "delivery_items")
    deletable = ("sales_order_items", "delivery_items")
    kinds = ("create_order", "update_quantity")
    reversible = frozenset(kinds)

    def __init__(self, mock: MockSap) -> None:
        self.mock = mock
        self.base_url = mock.url
        self.environment = ENVIRONMENT
        self._orders: list[str] = []

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Self]:
        with running_mock_sap(folder) as mock:
            yield cls(mock)

    def system(self, **changes: Any) -> System:
        return self.mock.system(**changes)

    def make(self, entity: str, count: int) -> list[str]:
        if entity == "sales_order_items":
            return [f"{number}/000010" for number in self._make_orders(count)]
        return [f"{self.mock.delivery()['DeliveryDocument']}/000010" for _ in range(count)]

    def _make_orders(self, count: int) -> list[str]:
        """New orders and, of several, one that is older by its number and changed now."""
        changed = self._orders[:1] if count > 1 else []
        for number in changed:
            condition = {"ShippingCondition": uuid.uuid4().hex[:2]}
            quantity = {"RequestedQuantity": f"{uuid.uuid4().int % 100_000}.000"}
            path = f"API_SALES_ORDER_SRV/A_SalesOrderItem(SalesOrder='{number}'"
            self.mock.patch(f"{path},SalesOrderItem='000010')", quantity)
            self.mock.patch(f"API_SALES_ORDER_SRV/A_SalesOrder('{number}')", condition)
        new = [str(self.mock.order()["SalesOrder"]) for _ in range(count - len(changed))]
        self._orders += new
        return changed + new

    def delete(self, entity: str, record_id: str) -> None:
        number = record_id.partition("/")[0]
        if entity == "sales_order_items":
            self._orders.remove(number)
            self.mock.delete(f"API_SALES_ORDER_SRV/A_SalesOrder('{number}')")
        else:
            self.mock.delete(f"API_OUTBOUND_DELIVERY_SRV/A_OutbDeliveryHeader('{number}')")

    def correction(self, kind: str) -> CorrectionRequest:
        if kind == "create_order":
            line = {"line_no": 1, "item": "TG31", "target_item": "TG31", "quantity": "7"}
            payload: dict[str, Any] = {
                "order_number": self.mock.reference(),
                "customer_ref": "1000006",
                "currency": "EUR",
                "lines": [{**line, "uom": "EA", "unit_price": "12.5"}],
            }
        else:
            payload = {
                "order_record": self.mock.order(quantity="5.000")["SalesOrder"],
                "line_record": "000010",
                "quantity": "7",
                "old_quantity": "5",
            }
        return CorrectionRequest(
            kind=kind,
            object_id="object",
            payload=payload,
            expected={},
            idempotency_key=f"tly-{uuid.uuid4().hex}",
            created_at=datetime.now(UTC),
        )

    def effects(self, request: CorrectionRequest) -> int:
        payload = request.payload
        if request.kind == "create_order":
            reference = f"PurchaseOrderByCustomer eq '{payload['order_number']}'"
            found = self.mock.get("API_SALES_ORDER_SRV/A_SalesOrder", filter=reference)
            return len(found["results"])
        item = self.mock.get(
            f"API_SALES_ORDER_SRV/A_SalesOrderItem(SalesOrder='{payload['order_record']}',"
            f"SalesOrderItem='{payload['line_record']}')"
        )
        return int(item["RequestedQuantity"] == "7.000")

    def is_read(self, asked: Asked) -> bool:
        return asked.method == "GET" and "/A_" in asked.path


class TestSapOData(
    ReadingContract,
    CursorContract,
    DeletionContract,
    HttpReadingContract,
    CorrectionContract,
    HttpCorrectionContract,
):
    subject_class = SapOData
