"""People who work in the pretend systems while corrections are under way: what they change, where.

They speak to the systems directly, and the systems' ledger notes what they did, without a key.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import httpx

Proposal = Mapping[str, Any]

# What a person may do about the object of a correction of a kind.
OTHER_VALUE = "other_value"  # sets the very field to a third value
OTHER_FIELD = "other_field"  # changes something else of the record: its version moves on
AUTHORITY = "authority"  # changes the value that the correction copies, in the leading system
DONE_BY_HAND = "done_by_hand"  # creates the missing document
EDITS: dict[str, tuple[str, ...]] = {
    "update_price": (OTHER_VALUE, AUTHORITY),
    "update_quantity": (OTHER_VALUE, OTHER_FIELD, AUTHORITY),
    "set_pack": (OTHER_VALUE, OTHER_FIELD),
    "adjust_fulfilment": (OTHER_VALUE,),
    "create_invoice": (DONE_BY_HAND,),
    "create_fulfilment": (DONE_BY_HAND,),
}


class People:
    """Their edits. ``done``: (edit, object) -> the real time of it; ``counts`` by edit."""

    def __init__(self, clients: Mapping[str, httpx.Client]) -> None:
        self._clients = clients
        self.done: dict[tuple[str, str], float] = {}
        self.counts: Counter[str] = Counter()

    def edit(self, what: str, proposal: Proposal) -> bool:
        """One edit about the object of a proposal; False when the system does not allow it."""
        how: Callable[[Proposal], httpx.Response] = getattr(self, f"_{what}")
        if not how(proposal).is_success:
            return False
        self.done[what, proposal["object_id"]] = time.time()
        self.counts[what] += 1
        return True

    def touched(self, object_id: str) -> set[str]:
        """What people did about an object."""
        return {what for what, about in self.done if about == object_id}

    # ---- how -------------------------------------------------------------------------------

    def _other_value(self, proposal: Proposal) -> httpx.Response:
        payload = proposal["payload"]
        match proposal["kind"]:
            case "update_price":
                return self._oms_line(
                    payload["order_record"], payload["line_record"], {"unitPrice": "777.77"}
                )
            case "update_quantity":
                return self._erp_line(
                    payload["order_record"], payload["line_record"], {"ord_qty": "77.000"}
                )
            case "set_pack":
                return self._wms_item(payload["target_item"], {"CasePack": 77})
        document = self._erp("fulfilments", ful_no=payload["fulfilment_record"])
        line = payload["lines"][0]
        body = {
            "row_version": document["row_version"],
            "lines": [{"pos": int(line["line_record"]), "qty": "0.500"}],
        }
        return self._clients["erp"].patch(f"/api/fulfilments/{document['ful_no']}", json=body)

    def _other_field(self, proposal: Proposal) -> httpx.Response:
        payload = proposal["payload"]
        if proposal["kind"] == "set_pack":
            return self._wms_item(payload["target_item"], {"WeightGrams": 777})
        return self._erp_line(payload["order_record"], payload["line_record"], {"prc": "77.0000"})

    def _authority(self, proposal: Proposal) -> httpx.Response:
        (condition,) = proposal["preconditions"]
        if condition["system"] == "erp":
            key = condition["key"]
            return self._erp_line(key["doc_no"], key["pos"], {"prc": "88.0000"})
        number, line = condition["key"]["order_number"], condition["key"]["line_no"]
        found = self._clients["oms"].get("/v1/orders", params={"orderNumber": number})
        return self._oms_line(found.json()["orders"][0]["id"], line, {"qty": 88})

    def _done_by_hand(self, proposal: Proposal) -> httpx.Response:
        payload = proposal["payload"]
        body = {
            "doc_no": payload["order_record"],
            "ship_ref": payload["document"],
            "lines": [
                {"pos": int(line["line_record"]), "qty": f"{line['quantity']}.000"}
                for line in payload["lines"]
            ],
        }
        if proposal["kind"] == "create_invoice":
            return self._clients["erp"].post("/api/invoices", json=body)
        body["whs"] = payload["target_location"]
        return self._clients["erp"].post("/api/fulfilments", json=body)

    # ---- dialects --------------------------------------------------------------------------

    def _oms_line(self, record: str, line: Any, change: dict[str, Any]) -> httpx.Response:
        path = f"/v1/orders/{record}/lines/{line}"
        return self._clients["oms"].patch(path, json=change, headers={"If-Match": "*"})

    def _erp_line(self, doc_no: str, pos: Any, change: dict[str, Any]) -> httpx.Response:
        version = self._erp("sales_orders", doc_no=doc_no)["row_version"]
        path = f"/api/sales_orders/{doc_no}/lines/{pos}"
        return self._clients["erp"].patch(path, json={"row_version": version, **change})

    def _wms_item(self, sku: str, change: dict[str, Any]) -> httpx.Response:
        version = self._clients["wms"].get(f"/items/{sku}").json()["Version"]
        return self._clients["wms"].patch(f"/items/{sku}", json={"Version": version, **change})

    def _erp(self, entity: str, **key: str) -> dict[str, Any]:
        found = self._clients["erp"].get(f"/api/{entity}", params=key).json()["data"]
        document: dict[str, Any] = found[0]
        return document
