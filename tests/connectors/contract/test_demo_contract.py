"""The pretend distributor's four systems keep the contract."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

import httpx
from contract_subject import Subject
from contract_suite import (
    CorrectionContract,
    CursorContract,
    HttpCorrectionContract,
    HttpReadingContract,
    ReadingContract,
)
from demo_sandbox import FAULT_OF_KIND, Sandbox
from faulty_proxy import Asked

from connectors.base import CorrectionRequest
from registry.systems import System
from sandbox.server import running_sandbox
from sandbox.settings import Settings

# Its undo leaves a trail of two documents that cancel out: see test_demo_targets.py.
LEAVES_A_TRAIL = {"reverse_fulfilment", "void_invoice", "post_movement", "adjust_stock"}


class DemoSubject(Subject):
    """One system of a small distributor of its own."""

    exempt: ClassVar[Mapping[str, str]] = {
        **Subject.exempt,
        "DeletionContract": "the pretend systems keep every record",
    }
    role: ClassVar[str]

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.base_url = sandbox.urls[self.role]
        self._configured = sandbox.systems[self.role]
        self.environment = {
            variable: sandbox.environment[variable]
            for variable in self._configured.secrets.values()
        }
        self.http = sandbox.client(self.role)
        self.numbers = itertools.count(1)

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Self]:
        settings = Settings(
            # As many as it takes for some item to run low, so that there are receipts.
            orders=300,
            items=40,
            processes=("purchasing", "returns", "periods", "channels", "payments"),
            faults_per_kind=1,
            decoys_per_kind=1,
            live_after_seconds=0.0,
            live_spread_seconds=0.1,
            requests_per_second=5000,
            hang_seconds=1,
        )
        with running_sandbox(folder, 0, settings) as handle:
            yield cls(Sandbox(handle))

    def system(self, **changes: Any) -> System:
        return self._configured.model_copy(update=changes)

    def correction(self, kind: str) -> CorrectionRequest:
        _, wanted = self.sandbox.correction(kind)
        return wanted

    def effects(self, request: CorrectionRequest) -> int:
        return len(self.sandbox.effects(request.idempotency_key))


class DemoErp(DemoSubject):
    role = "erp"
    connector = "demo_erp"
    entities = (
        "items",
        "sales_order_lines",
        "fulfilment_lines",
        "invoice_lines",
        "settlement_lines",
        "periods",
        "stock_movements",
        "stock",
    )
    moving = ("stock_movements", "sales_order_lines")
    kinds = (
        "create_invoice",
        "create_credit",
        "create_order",
        "cancel_order",
        "cancel_line",
        "create_fulfilment",
        "reverse_fulfilment",
        "adjust_fulfilment",
        "void_invoice",
        "post_movement",
        "adjust_stock",
        "update_quantity",
    )
    reversible = frozenset(kinds) - LEAVES_A_TRAIL

    def make(self, entity: str, count: int) -> list[str]:
        item = self.http.get("/api/items", params={"per_page": 1}).json()["data"][0]["item_no"]
        if entity == "stock_movements":
            bodies = [
                {
                    "item_no": item,
                    "whs": "E1",
                    "mv_type": "701",
                    "qty": "1.000",
                    "ref": f"CONTRACT-{next(self.numbers)}",
                }
                for _ in range(count)
            ]
            return [str(self._post("stock_movements", body)["mv_no"]) for body in bodies]
        line = {"ext_line": 1, "item_no": item, "ord_qty": "1.000", "um": "EA", "prc": "1.0000"}
        orders = [
            {
                "ext_ref": f"CONTRACT-{next(self.numbers)}",
                "cust_no": "0001",
                "curr": "USD",
                "lines": [line],
            }
            for _ in range(count)
        ]
        made = [self._post("sales_orders", order) for order in orders]
        return [f"{order['doc_no']}/{order['lines'][0]['pos']}" for order in made]

    def _post(self, entity: str, body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = (
            self.http.post(f"/api/{entity}", json=body).raise_for_status().json()
        )
        return answer


class DemoOms(DemoSubject):
    role = "oms"
    connector = "demo_oms"
    entities = ("order_lines", "products", "availability")
    moving = ("order_lines",)
    kinds = ("set_delivered", "update_price")
    reversible = frozenset(kinds)

    def make(self, entity: str, count: int) -> list[str]:
        changed = []
        for order in self._open_orders()[:count]:
            self.http.patch(
                f"/v1/orders/{order['id']}/lines/{order['lines'][0]['lineNo']}",
                json={"unitPrice": f"{next(self.numbers)}.25"},
                headers={"If-Match": "*"},
            ).raise_for_status()
            changed += [f"{order['id']}/{line['lineNo']}" for line in order["lines"]]
        return changed

    def _open_orders(self) -> list[dict[str, Any]]:
        orders = self.http.get("/v1/orders", params={"limit": 500}).json()["orders"]
        return [order for order in orders if order["lines"][0]["status"] in ("PLACED", "ACCEPTED")]


class DemoWms(DemoSubject):
    role = "wms"
    connector = "demo_wms"
    entities = (
        "items",
        "order_lines",
        "shipment_lines",
        "receipt_lines",
        "return_lines",
        "transactions",
        "inventory",
    )
    moving = ("items", "order_lines")
    kinds = ("create_warehouse_order", "set_pack")
    reversible = frozenset(kinds)

    def make(self, entity: str, count: int) -> list[str]:
        items = self.http.get("/feed/items", params={"offset": 0, "limit": 500}).json()["records"]
        skus = sorted({item["Sku"] for item in items})
        if entity == "items":
            return [self._change(sku) for sku in skus[:count]]
        made = []
        for _ in range(count):
            line = {"HostLine": 1, "Sku": skus[0], "OrdQty": 1, "Uom": "EA"}
            order = {"HostOrder": f"E9{next(self.numbers):06}", "Whse": "EAST", "Lines": [line]}
            answer = self.http.post("/orders", json=order).raise_for_status().json()
            made.append(f"{answer['OrderNbr']}/{answer['Lines'][0]['LineNbr']}")
        return made

    def _change(self, sku: str) -> str:
        version = self.http.get(f"/items/{sku}").json()["Version"]
        change = {"Version": version, "WeightGrams": 1000 + next(self.numbers)}
        self.http.patch(f"/items/{sku}", json=change).raise_for_status()
        return sku


class DemoCarrier(DemoSubject):
    role = "carrier"
    connector = "demo_carrier"
    entities = ("tracking_events",)
    moving = ("tracking_events",)
    exempt: ClassVar[Mapping[str, str]] = {
        **DemoSubject.exempt,
        "CorrectionContract": "the carrier takes no corrections",
        "HttpCorrectionContract": "the carrier takes no corrections",
    }
    lateness = 60 * 86400.0  # new scans are told with the dates of an old parcel

    def make(self, entity: str, count: int) -> list[str]:
        """The carrier takes no writes: parcels of new orders are scanned."""
        before = self._events(0)
        known = max(event["seq"] for event in before)
        while len(self._events(known)) < count:
            self.sandbox.fault("S4")
        return [event["event-id"] for event in self._events(known)]

    def is_read(self, asked: Asked) -> bool:
        return asked.path.startswith("/track/")

    def _events(self, since: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page: httpx.Response = self.http.get(
                "/track/v2/events", params={"since-seq": since, "limit": 1000}
            )
            events = page.raise_for_status().json()["events"]
            found += events
            if len(events) < 1000:
                return found
            since = events[-1]["seq"]


class TestDemoErp(
    ReadingContract,
    CursorContract,
    HttpReadingContract,
    CorrectionContract,
    HttpCorrectionContract,
):
    subject_class = DemoErp


class TestDemoOms(
    ReadingContract,
    CursorContract,
    HttpReadingContract,
    CorrectionContract,
    HttpCorrectionContract,
):
    subject_class = DemoOms


class TestDemoWms(
    ReadingContract,
    CursorContract,
    HttpReadingContract,
    CorrectionContract,
    HttpCorrectionContract,
):
    subject_class = DemoWms


class TestDemoCarrier(ReadingContract, CursorContract, HttpReadingContract):
    subject_class = DemoCarrier


def test_every_kind_of_the_demo_is_under_contract() -> None:
    kinds = {kind for subject in (DemoErp, DemoOms, DemoWms) for kind in subject.kinds}
    assert kinds == set(FAULT_OF_KIND)
