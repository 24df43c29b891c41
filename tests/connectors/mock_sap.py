"""The package mock-sap as a process of its own, and a plain client that drives it.

It speaks the wire shapes of S/4HANA and knows none of its business logic.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from registry.systems import System

USER, PASSWORD = "TALLYMAN", "pretend-sap-password"
ENVIRONMENT = {"SAP_USER": USER, "SAP_PASSWORD": PASSWORD}
ROOT = "/sap/opu/odata/sap"
ORDERS = f"{ROOT}/API_SALES_ORDER_SRV/A_SalesOrder"
START_SECONDS = 30.0


class MockSap:
    """A running mock; ``fault`` arms its own failures, ``requests`` is its own log."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, auth=(USER, PASSWORD), trust_env=False, timeout=30)
        self._number = 0

    def system(self, **changes: Any) -> System:
        settings: dict[str, Any] = {
            "name": "sap",
            "role": "erp",
            "connector": "sap_odata",
            "base_url": self.url,
            "write_mode": "on",
            "requests_per_second": 1000,
            "secrets": {"user": "SAP_USER", "password": "SAP_PASSWORD"},
            "options": {
                "timeout_seconds": 2.0,
                "sap_client": "100",
                "sales_order_type": "OR",
                "sales_organization": "1710",
                "distribution_channel": "10",
                "division": "00",
            },
        }
        return System(**{**settings, **changes})

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create an entity; the path from the service on."""
        answer = self.http.post(f"{ROOT}/{path}", json=body, headers=self._token())
        created: dict[str, Any] = answer.raise_for_status().json()["d"]
        return created

    def delete(self, path: str) -> None:
        self.http.delete(f"{ROOT}/{path}", headers=self._token()).raise_for_status()

    def patch(self, path: str, body: dict[str, Any]) -> None:
        self.http.patch(f"{ROOT}/{path}", json=body, headers=self._token()).raise_for_status()

    def get(self, path: str, **options: str) -> Any:
        """The content of an answer; system query options without their dollar sign."""
        params = {f"${name}": value for name, value in options.items()} | {"$format": "json"}
        return self.http.get(f"{ROOT}/{path}", params=params).raise_for_status().json()["d"]

    def order(self, reference: str | None = None, quantity: str = "5.000") -> dict[str, Any]:
        """A new sales order of one item."""
        return self.post(
            "API_SALES_ORDER_SRV/A_SalesOrder",
            {
                "SalesOrderType": "OR",
                "SoldToParty": "1000006",
                "PurchaseOrderByCustomer": reference or self.reference(),
                "TransactionCurrency": "EUR",
                "to_Item": {
                    "results": [
                        {
                            "SalesOrderItem": "000010",
                            "Material": "TG31",
                            "RequestedQuantity": quantity,
                            "RequestedQuantityUnit": "EA",
                            "Plant": "1710",
                        }
                    ]
                },
            },
        )

    def delivery(self, order: str = "0000004712", **header: Any) -> dict[str, Any]:
        """A new outbound delivery of one item."""
        return self.post(
            "API_OUTBOUND_DELIVERY_SRV/A_OutbDeliveryHeader",
            {
                "ShipToParty": "1000006",
                **header,
                "to_DeliveryDocumentItem": {
                    "results": [
                        {
                            "DeliveryDocumentItem": "000010",
                            "Material": "TG31",
                            "ActualDeliveredQtyInOrderQtyUnit": "5.000",
                            "OrderQuantityUnit": "EA",
                            "ReferenceSDDocument": order,
                            "ReferenceSDDocumentItem": "000010",
                        }
                    ]
                },
            },
        )

    def reference(self) -> str:
        """An order number that was not used before."""
        self._number += 1
        return f"SO-9{self._number:05}"

    def fault(self, **rule: Any) -> None:
        self.http.post("/_mock/faults", json=rule).raise_for_status()

    def clear_faults(self) -> None:
        self.http.delete("/_mock/faults").raise_for_status()

    def requests(self) -> list[dict[str, Any]]:
        """What the mock was asked, newest first."""
        answer = self.http.get("/_mock/requests", params={"limit": 200}).raise_for_status()
        found: list[dict[str, Any]] = answer.json()["results"]
        return found

    def _token(self) -> dict[str, str]:
        answer = self.http.get(
            f"{ROOT}/API_SALES_ORDER_SRV/", headers={"X-CSRF-Token": "Fetch"}
        ).raise_for_status()
        return {"X-CSRF-Token": answer.headers["x-csrf-token"]}


@contextmanager
def running_mock_sap(folder: Path) -> Iterator[MockSap]:
    """A fresh mock with its own documents; it ends with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mocksap", "--port", str(port), "--auth"]
    command += [f"{USER}:{PASSWORD}", "-q"]
    log = (folder / "mock-sap.log").open("wb")
    process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ})
    try:
        mock = MockSap(f"http://127.0.0.1:{port}")
        _wait_for(mock, process, folder / "mock-sap.log")
        yield mock
        mock.http.close()
    finally:
        # A program of others on pretend data: on a busy machine it may take longer over its end.
        process.kill()
        process.wait(timeout=30)
        log.close()


def _wait_for(mock: MockSap, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            mock.http.get("/_mock/health").raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise RuntimeError(f"mock-sap did not start: {log.read_text()}")
