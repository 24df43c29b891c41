"""Corrections that the demo WMS takes, in its dialect: apply, read back, undo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.base import CorrectionRequest, Outcome, TargetState
from connectors.corrections import (
    Action,
    HttpTarget,
    already_undone,
    conflict,
    missing,
    undo_key,
    whole,
)
from connectors.demo_wms.client import WmsClient
from registry.systems import System

CANCELLED = "CANCELED"


class WmsTarget(HttpTarget):
    """The demo WMS as a target. An order that we created carries our key as ``Origin``; a change of
    an item carries the ``Version`` read right before."""

    def __init__(self, system: System, client: WmsClient) -> None:
        super().__init__(system, client.http)
        self._client = client
        self.actions = {
            "create_warehouse_order": Action(
                self._read_order, self._create_order, self._cancel_order
            ),
            "set_pack": Action(self._read_pack, self._set_pack, self._restore_pack),
        }

    # ---- orders ----------------------------------------------------------------------------

    def _read_order(self, request: CorrectionRequest) -> TargetState:
        live = [order for order in self._orders(request) if order["Status"] != CANCELLED]
        own = [order for order in live if order.get("Origin") == request.idempotency_key]
        shown = own or live
        return TargetState(
            applied=bool(live),
            precondition_met=not live,
            applied_by_key=bool(own) if live else None,
            target_record_id=shown[0]["OrderNbr"] if shown else None,
            observed={"orders": [order["OrderNbr"] for order in live]},
        )

    def _create_order(self, request: CorrectionRequest) -> Outcome:
        key, payload = request.idempotency_key, request.payload
        for order in self._orders(request):
            if order["Status"] != CANCELLED and order.get("Origin") != key:
                return conflict(f"{order['OrderNbr']} is there for this host order by now")
        body = {
            "HostOrder": payload["host_order"],
            "Whse": payload["location"],
            "Lines": [
                {
                    "HostLine": whole(line["host_line"]),
                    "Sku": line["target_item"],
                    "OrdQty": whole(line["quantity"]),
                    "Uom": line.get("uom", "EA"),
                }
                for line in payload["lines"]
            ],
        }
        return self.send("POST", "orders", body, key, lambda answer: str(answer["OrderNbr"]))

    def _cancel_order(self, request: CorrectionRequest, record_id: str | None) -> Outcome:
        own = [
            order
            for order in self._orders(request)
            if order.get("Origin") == request.idempotency_key or order["OrderNbr"] == record_id
        ]
        if not own:
            return conflict("no warehouse order of this correction exists")
        live = [order for order in own if order["Status"] != CANCELLED]
        if not live:
            return already_undone(own[0]["OrderNbr"])
        number = live[0]["OrderNbr"]
        return self.send(
            "POST",
            f"orders/{number}/cancel",
            {"Version": live[0]["Version"]},
            undo_key(request),
            lambda answer: str(number),
        )

    def _orders(self, request: CorrectionRequest) -> list[Any]:
        return self._client.find("orders", {"host_order": str(request.payload["host_order"])})

    # ---- items -----------------------------------------------------------------------------

    def _read_pack(self, request: CorrectionRequest) -> TargetState:
        item = self._item(request)
        held = whole(item["CasePack"])
        return TargetState(
            applied=held == whole(request.payload["pack_quantity"]),
            precondition_met=held == whole(request.payload["old_pack_quantity"]),
            target_record_id=item["Sku"],
            observed={"CasePack": held},
        )

    def _set_pack(self, request: CorrectionRequest) -> Outcome:
        payload = request.payload
        return self._change_pack(
            request, payload["old_pack_quantity"], payload["pack_quantity"], request.idempotency_key
        )

    def _restore_pack(self, request: CorrectionRequest, _record_id: str | None) -> Outcome:
        payload = request.payload
        item = self._item(request)
        if whole(item["CasePack"]) == whole(payload["old_pack_quantity"]):
            return already_undone(item["Sku"])
        return self._change_pack(
            request, payload["pack_quantity"], payload["old_pack_quantity"], undo_key(request)
        )

    def _change_pack(
        self, request: CorrectionRequest, expected: Any, wanted: Any, key: str
    ) -> Outcome:
        item = self._item(request)
        sku = item["Sku"]
        if whole(item["CasePack"]) != whole(expected):
            return conflict(f"{sku} has case pack {item['CasePack']}, not {expected}")
        return self.send(
            "PATCH",
            f"items/{sku}",
            {"Version": item["Version"], "CasePack": whole(wanted)},
            key,
            lambda answer: str(sku),
        )

    def _item(self, request: CorrectionRequest) -> dict[str, Any]:
        sku = str(request.payload["target_item"])
        found = self._client.one(f"items/{sku}")
        if not found:
            raise missing(self.system.name, f"item {sku}")
        item: dict[str, Any] = found[0]
        return item


def make_target(system: System, environment: Mapping[str, str]) -> WmsTarget:
    """For connectors.factory; raises ConfigurationError when a secret is missing."""
    return WmsTarget(system, WmsClient(system, environment))
