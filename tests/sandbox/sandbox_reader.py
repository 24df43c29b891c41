"""A plain HTTP reader of the four dialects, written from their description, not from their code."""

from __future__ import annotations

import time
from typing import Any

import httpx

from sandbox.server import SandboxHandle

Row = dict[str, Any]


class Reader:
    """Reads whole entities; ``oms``, ``erp``, ``wms``, ``carrier`` and ``admin`` are clients."""

    def __init__(self, handle: SandboxHandle, timeout: float = 10.0) -> None:
        given = handle.credentials
        self.oms = httpx.Client(
            base_url=handle.urls["oms"],
            headers={"Authorization": f"Bearer {given.oms_token}"},
            timeout=timeout,
        )
        self.erp = httpx.Client(
            base_url=handle.urls["erp"], headers={"X-Api-Key": given.erp_api_key}, timeout=timeout
        )
        self.wms = httpx.Client(
            base_url=handle.urls["wms"],
            auth=(given.wms_user, given.wms_password),
            timeout=timeout,
        )
        self.carrier = httpx.Client(base_url=handle.urls["carrier"], timeout=timeout)
        self.admin = httpx.Client(base_url=handle.urls["admin"], timeout=timeout)
        answer = self.carrier.post(
            "/oauth/token",
            data={"grant_type": "client_credentials"},
            auth=(given.carrier_client_id, given.carrier_client_secret),
        )
        token = answer.raise_for_status().json()["access_token"]
        self.carrier.headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        for client in (self.oms, self.erp, self.wms, self.carrier, self.admin):
            client.close()

    def oms_all(self, entity: str, limit: int = 500, **query: str) -> list[Row]:
        rows: list[Row] = []
        cursor: dict[str, str] = {}
        while True:
            answer = self.oms.get(f"/v1/{entity}", params={"limit": limit, **query, **cursor})
            page = answer.raise_for_status().json()
            rows += page[entity]
            if page["nextCursor"] is None:
                return rows
            cursor = {"cursor": page["nextCursor"]}

    def erp_all(self, entity: str, per_page: int = 500, **query: str) -> list[Row]:
        rows: list[Row] = []
        number = 1
        while True:
            answer = self.erp.get(
                f"/api/{entity}", params={"page": number, "per_page": per_page, **query}
            )
            page = answer.raise_for_status().json()
            rows += page["data"]
            if number >= page["pages"]:
                assert len(rows) == page["total"]
                return rows
            number += 1

    def wms_feed(self, entity: str, offset: int = 0, limit: int = 500) -> list[Row]:
        rows: list[Row] = []
        while True:
            answer = self.wms.get(f"/feed/{entity}", params={"offset": offset, "limit": limit})
            page = answer.raise_for_status().json()
            rows += page["records"]
            offset = page["next_offset"]
            if offset >= page["high_water"]:
                return rows

    def wms_inventory(self, limit: int = 500) -> list[Row]:
        rows: list[Row] = []
        offset: int | None = 0
        while offset is not None:
            answer = self.wms.get("/inventory", params={"offset": offset, "limit": limit})
            page = answer.raise_for_status().json()
            rows += page["records"]
            offset = page["next_offset"]
        return rows

    def scans(self, limit: int = 500) -> list[Row]:
        rows: list[Row] = []
        url: str | None = f"/track/v2/events?limit={limit}"
        while url is not None:
            answer = self.carrier.get(url).raise_for_status()
            rows += answer.json()["events"]
            following = answer.links.get("next")
            url = following["url"] if following else None
        return rows

    def truth(self) -> list[Row]:
        found: list[Row] = self.admin.get("/admin/truth").raise_for_status().json()["faults"]
        return found

    def effects(self) -> list[Row]:
        found: list[Row] = self.admin.get("/admin/ledger").raise_for_status().json()["effects"]
        return found

    def inject(self, kind: str, count: int = 1) -> list[Row]:
        answer = self.admin.post("/admin/inject", json={"kind": kind, "count": count})
        found: list[Row] = answer.raise_for_status().json()["faults"]
        return found

    def settle(self) -> None:
        """Wait until all scheduled events have happened."""
        deadline = time.monotonic() + 60
        while self.admin.get("/admin/counts").json()["scheduled"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def misbehave(self, system: str, mode: str, count: int = 1, **more: str) -> None:
        body = {"system": system, "mode": mode, "count": count, **more}
        self.admin.post("/admin/misbehave", json=body).raise_for_status()
