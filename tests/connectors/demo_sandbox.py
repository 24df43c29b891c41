"""The pretend distributor with our sources and targets for it, driven by its own interfaces."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx

from connectors.base import CorrectionRequest, Source, Target
from connectors.factory import make_source, make_target
from registry.systems import System
from sandbox.server import SandboxHandle

FAULT_OF_KIND = {
    "create_order": "O1",
    "cancel_order": "O2",
    "cancel_line": "O4",
    "update_price": "O5",
    "update_quantity": "O5Q",
    "create_warehouse_order": "T1",
    "create_fulfilment": "H2",
    "reverse_fulfilment": "H3",
    "adjust_fulfilment": "H5",
    "set_delivered": "H9",
    "create_invoice": "F1",
    "create_credit": "F5",
    "void_invoice": "F3",
    "post_movement": "I1",
    "adjust_stock": "I3",
    "set_pack": "M6",
}


class Sandbox:
    """A running pretend distributor; ``fault`` and ``correction`` make work for our targets."""

    def __init__(self, handle: SandboxHandle) -> None:
        self.urls = handle.urls
        given = handle.credentials
        self.environment = {
            "OMS": given.oms_token,
            "ERP": given.erp_api_key,
            "USER": given.wms_user,
            "PASSWORD": given.wms_password,
            "CLIENT_ID": given.carrier_client_id,
            "CLIENT_SECRET": given.carrier_client_secret,
        }
        self.systems = {
            "oms": self._system("oms", {"token": "OMS"}),
            "erp": self._system("erp", {"api_key": "ERP"}, time_zone="America/New_York"),
            "wms": self._system("wms", {"user": "USER", "password": "PASSWORD"}),
            "carrier": self._system(
                "carrier", {"client_id": "CLIENT_ID", "client_secret": "CLIENT_SECRET"}
            ),
        }
        self.targets: dict[str, Target] = {
            name: target
            for name, system in self.systems.items()
            if (target := make_target(system, self.environment)) is not None
        }
        self.sources: dict[str, Source] = {
            name: make_source(system, self.environment) for name, system in self.systems.items()
        }
        self._admin = httpx.Client(base_url=handle.urls["admin"], trust_env=False, timeout=30)

    def _system(self, name: str, secrets: dict[str, str], **changes: Any) -> System:
        return System(
            name=name,
            role=name,  # type: ignore[arg-type]
            connector=f"demo_{name}",
            base_url=self.urls[name],
            write_mode="on",
            requests_per_second=1000,
            secrets=secrets,
            options={"timeout_seconds": 1.0},
            **changes,
        )

    def client(self, name: str) -> httpx.Client:
        """A plain client of one system with the right to write, for what no connector does."""
        access: dict[str, Any] = {
            "oms": {"headers": {"Authorization": f"Bearer {self.environment['OMS']}"}},
            "erp": {"headers": {"X-Api-Key": self.environment["ERP"]}},
            "wms": {"auth": (self.environment["USER"], self.environment["PASSWORD"])},
            "carrier": {"auth": (self.environment["CLIENT_ID"], self.environment["CLIENT_SECRET"])},
        }
        client = httpx.Client(base_url=self.urls[name], trust_env=False, timeout=30, **access[name])
        if name == "carrier":
            form = {"grant_type": "client_credentials"}
            token = client.post("/oauth/token", data=form).raise_for_status().json()
            client.auth = None
            client.headers["Authorization"] = f"Bearer {token['access_token']}"
        return client

    def fault(self, kind: str) -> dict[str, Any]:
        """A fresh fault of a kind, already overdue."""
        answer = self._admin.post("/admin/inject", json={"kind": kind, "count": 1})
        assert answer.status_code == 200, answer.text
        row: dict[str, Any] = answer.json()["faults"][0]
        return row

    def misbehave(self, system: str, mode: str) -> None:
        body = {"system": system, "mode": mode, "count": 1}
        assert self._admin.post("/admin/misbehave", json=body).status_code == 200

    def effects(self, key: str) -> list[dict[str, Any]]:
        """What the ledger says was done under a key."""
        return [effect for effect in self.ledger() if effect["idempotency_key"] == key]

    def ledger(self) -> list[dict[str, Any]]:
        """Every write that had an effect, ours and people's."""
        found: list[dict[str, Any]] = self._admin.get("/admin/ledger").json()["effects"]
        return found

    def erp(self, entity: str, **filters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.targets["erp"].http.get_json(  # type: ignore[attr-defined]
            f"api/{entity}", filters
        )["data"]
        return found

    def correction(self, kind: str) -> tuple[Target, CorrectionRequest]:
        """A correction of a kind that a fresh fault of the sandbox calls for."""
        expected = self.fault(FAULT_OF_KIND[kind])["expected_correction"]
        assert expected["kind"] == kind
        payload = dict(expected["payload"])
        if kind == "adjust_stock":
            payload = self.correction_of_stock(payload)
        return self.targets[expected["system"]], request(kind, payload)

    def correction_of_stock(self, payload: dict[str, Any]) -> dict[str, Any]:
        """The payload of an adjustment with what the position holds now."""
        held = Decimal(self._stock(payload))
        new = held + Decimal(payload["quantity_delta"])
        return payload | {"expected_quantity": str(held), "new_quantity": str(new)}

    def _stock(self, payload: dict[str, Any]) -> str:
        (position,) = self.erp(
            "stock", item_no=payload["target_item"], whs=payload["target_location"]
        )
        return str(position["qoh"])


def request(kind: str, payload: dict[str, Any]) -> CorrectionRequest:
    return CorrectionRequest(
        kind=kind,
        object_id="object",
        payload=payload,
        expected={},
        idempotency_key=f"tly-{uuid.uuid4().hex}",
        created_at=datetime(2026, 11, 21, tzinfo=UTC),
    )
