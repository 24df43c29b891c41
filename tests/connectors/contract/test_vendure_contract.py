"""vendure keeps the contract, against a real Vendure."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

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

from connectors.base import CorrectionRequest
from real.vendure.shop import Item, Order, Shop
from registry.systems import System

sys.path.insert(0, str(Path(__file__).parents[2] / "real" / "vendure"))

from vendure_shop import open_shop, running_vendure

pytestmark = pytest.mark.real


class Vendure(Subject):
    """Orders are made and cancelled at once, and there is no look-back: what is closed is read for
    its ``updatedAt`` only, which is what the suite is about. tests/real/vendure has the rest."""

    connector = "vendure"
    entities = (
        "product_variants",
        "customers",
        "order_lines",
        "order_history",
        "fulfilment_lines",
        "payments",
        "refunds",
        "stock_movements",
        "stock_levels",
    )
    moving = ("order_lines", "customers")
    deletable = ("product_variants", "customers")
    kinds = ("add_note", "set_delivered", "update_quantity", "cancel_line", "adjust_stock")
    reversible = frozenset({"add_note", "update_quantity", "adjust_stock"})

    def __init__(self, shop: Shop, api_key: str) -> None:
        self.shop = shop
        self.base_url = shop.url
        self.environment = {"VENDURE_API_KEY": api_key}
        self._skus: dict[str, str] = {}

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Self]:
        with running_vendure() as access, open_shop(access) as shop:
            subject = cls(shop, access.api_key)
            order = subject._order(1)
            shop.move_fulfilment(shop.fulfil(order.id, "TRACK-1"), "Delivered")
            shop.refund(order.id, 100, "damaged")
            yield subject

    def system(self, **changes: Any) -> System:
        settings: dict[str, Any] = {
            "name": "shop",
            "role": "oms",
            "connector": "vendure",
            "base_url": self.base_url,
            "requests_per_second": 1000,
            "secrets": {"api_key": "VENDURE_API_KEY"},
            "options": {"look_back_days": 0, "additional_payment_method": "on-account"},
        }
        return System(**{**settings, **changes})

    def make(self, entity: str, count: int) -> list[str]:
        return [self._make(entity) for _ in range(count)]

    def _make(self, entity: str) -> str:
        name = uuid.uuid4().hex
        if entity == "customers":
            return self.shop.create_customer(f"{name}@example.test", "A", "Buyer")
        if entity == "product_variants":
            self.shop.add_items([Item(name, name, 100)], {"EAST": 1})
            identity = self.shop.variant_id(name)
            self._skus[identity] = name
            return identity
        order = self._order(1)
        self.shop.cancel(order.id)
        return f"{order.id}/{order.lines[0].id}"

    def delete(self, entity: str, record_id: str) -> None:
        if entity == "customers":
            self.shop.delete_customer(record_id)
        else:
            self.shop.delete_item(self._skus[record_id])

    def correction(self, kind: str) -> CorrectionRequest:
        return CorrectionRequest(
            kind=kind,
            object_id="object",
            payload=self._payload(kind),
            expected={},
            idempotency_key=f"tly-{uuid.uuid4().hex}",
            created_at=datetime.now(UTC),
        )

    def _payload(self, kind: str) -> dict[str, Any]:
        if kind == "adjust_stock":
            name = uuid.uuid4().hex
            self.shop.add_items([Item(name, name, 100)], {"EAST": 10, "WEST": 20})
            return {
                "target_item": name,
                "target_location": "WEST",
                "quantity_delta": "-3",
                "expected_quantity": "20",
                "new_quantity": "17",
                "reason": "count",
            }
        order = self._order(5)
        if kind == "set_delivered":
            self.shop.move_fulfilment(self.shop.fulfil(order.id, "TRACK-2"), "Shipped")
        line = {"order_record": order.id, "line_record": order.lines[0].id}
        more = {
            "add_note": {"note": "The carrier says so."},
            "set_delivered": {"delivered_at": "2026-11-20T10:00:00+00:00"},
            "update_quantity": {"quantity": "3", "old_quantity": "5"},
        }
        return {**line, **more.get(kind, {})}

    def effects(self, request: CorrectionRequest) -> int:
        payload = request.payload
        if request.kind == "adjust_stock":
            left = 20 - self.shop.stock(payload["target_item"], "WEST")
            return left // 3
        order = self.shop.order(payload["order_record"])
        match request.kind:
            case "set_delivered":
                return list(order.fulfilments.values()).count("Delivered")
            case "update_quantity":
                return (5 - order.lines[0].quantity) // 2
            case "cancel_line":
                return int(order.lines[0].quantity == 0)
        return sum(request.idempotency_key in note for note in self.shop.notes(order.id))

    def is_read(self, asked: Asked) -> bool:
        return not self.is_write(asked)

    def is_write(self, asked: Asked) -> bool:
        return str(json.loads(asked.body)["query"]).startswith("mutation")

    def _order(self, quantity: int) -> Order:
        return self.shop.place_order([("PART-1", quantity)], "buyer@example.test")


class TestReading(ReadingContract, CursorContract, DeletionContract, HttpReadingContract):
    subject_class = Vendure


class TestCorrections(CorrectionContract, HttpCorrectionContract):
    """With a shop of its own: the open orders that it leaves would be read in every pass."""

    subject_class = Vendure
