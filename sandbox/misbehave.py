"""One-shot misbehaviour for tests: the next matching requests of a system go wrong."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from sandbox.settings import SYSTEMS
from sandbox.tables import to_json

STATUS_MODES = {"status_503": 503, "status_429": 429, "status_401": 401}
PAGE_MODES = (
    "cut_page",
    "wrong_type",
    "missing_column",
    "unknown_status",
    "silent",
    "duplicate_record",
    "added_column",
    "renamed_column",
    "byte_order_mark",
    "windows_letters",
    "time_cut_off",
    "out_of_order",
)
WRITE_MODES = ("timeout_after_effect",)
MODES = (*STATUS_MODES, *WRITE_MODES, *PAGE_MODES, "off")

# A number, a status and another column of every entity, for pages with one broken record.
_FIELDS = {
    ("oms", "orders"): ("version", "status", "customerRef"),
    ("oms", "products"): ("version", "uom", "title"),
    ("erp", "sales_orders"): ("row_version", "stat", "cust_no"),
    ("erp", "fulfilments"): ("row_version", "stat", "whs"),
    ("erp", "invoices"): ("amt", "stat", "curr"),
    ("erp", "stock_movements"): ("qty", "mv_type", "item_no"),
    ("erp", "stock"): ("qoh", "whs", "whs"),
    ("erp", "items"): ("case_qty", "base_um", "descr"),
    ("wms", "orders"): ("Version", "Status", "Whse"),
    ("wms", "shipments"): ("Version", "Status", "Whse"),
    ("wms", "transactions"): ("Qty", "TranType", "Sku"),
    ("wms", "inventory"): ("OnHand", "Whse", "Whse"),
    ("wms", "items"): ("CasePack", "Desc", "Desc"),
    ("oms", "returns"): ("version", "status", "reason"),
    ("erp", "purchase_orders"): ("row_version", "stat", "vend_no"),
    ("erp", "goods_receipts"): ("qty", "whs", "item_no"),
    ("erp", "vendor_invoices"): ("amt", "curr", "vend_no"),
    ("erp", "transfers"): ("qty", "stat", "item_no"),
    ("erp", "settlements"): ("amt", "stat", "curr"),
    ("erp", "periods"): ("row_version", "stat", "curr"),
    ("wms", "receipts"): ("Version", "Status", "Whse"),
    ("wms", "returns"): ("Version", "Status", "Whse"),
    ("wms", "counts"): ("CountedQty", "Whse", "Sku"),
    ("carrier", "events"): ("seq", "code", "timestamp"),
}

# When something happened, in records or their lines, for pages that tell the day only.
_MOMENTS = {
    ("oms", "orders"): "placedAt",
    ("erp", "fulfilments"): "posted",
    ("erp", "invoices"): "posted",
    ("carrier", "events"): "timestamp",
}


@dataclass
class _Armed:
    mode: str
    left: int
    entity: str | None
    method: str | None


class Misbehaviour:
    """What is armed for each system. ``method`` and ``entity`` (part of a path) narrow it."""

    def __init__(self) -> None:
        self._armed: dict[str, list[_Armed]] = {system: [] for system in SYSTEMS}

    def arm(
        self,
        system: str,
        mode: str,
        count: int,
        entity: str | None = None,
        method: str | None = None,
    ) -> None:
        """Arm a mode for the next ``count`` matching requests; ``off`` disarms all."""
        if mode == "off":
            self._armed[system].clear()
        else:
            self._armed[system].append(_Armed(mode, count, entity, method))

    def armed(self) -> dict[str, dict[str, int]]:
        """How many of each mode are left, by system."""
        return {
            system: {armed.mode: armed.left for armed in found}
            for system, found in self._armed.items()
        }

    def take(self, system: str, modes: tuple[str, ...], method: str, path: str) -> str | None:
        """Use up one of ``modes`` that matches a request, and name it."""
        parts = (None, *path.split("/"))
        for armed in self._armed[system]:
            if armed.mode in modes and armed.method in (None, method) and armed.entity in parts:
                armed.left -= 1
                if armed.left <= 0:
                    self._armed[system].remove(armed)
                return armed.mode
        return None


def distort(mode: str | None, system: str, entity: str, texts: list[str]) -> list[str]:
    """The records of a page as a misbehaving system sends them."""
    if mode == "silent":
        return []
    if mode in (None, "cut_page", "byte_order_mark", "windows_letters") or not texts:
        return texts
    if mode == "duplicate_record":
        return [texts[0], *texts]
    if mode == "time_cut_off":
        return [_at_midnight(text, _MOMENTS.get((system, entity))) for text in texts]
    if mode == "out_of_order":
        return texts[::-1]
    number, status, column = _FIELDS[system, entity]
    if mode in ("added_column", "renamed_column"):
        records = [json.loads(text) for text in texts]
        for record in records:
            record[f"new_{number}"] = record[number]
            if mode == "renamed_column":
                del record[number]
        return [to_json(record) for record in records]
    record = json.loads(texts[0])
    if mode == "wrong_type":
        record[number] = "a dozen"
    elif mode == "missing_column":
        del record[column]
    elif mode == "unknown_status":
        record[status] = 77 if isinstance(record[status], int) else "MYSTERY"
    return [to_json(record), *texts[1:]]


def _at_midnight(text: str, moment: str | None) -> str:
    """A record whose moments of one name, and those of its lines, are days: at midnight."""
    record = json.loads(text)
    for part in (record, *record.get("lines", ())):
        if part.get(moment):
            day, time, rest = part[moment][:11], part[moment][11:23], part[moment][23:]
            part[moment] = day + re.sub(r"\d", "0", time) + rest
    return to_json(record)
