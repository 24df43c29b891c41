"""What a third-party warehouse believes of an order: the X12 files, as documents of a warehouse."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from sandbox.catalogue import wms_sku
from sandbox.settings import WMS_CLOCK_FAST_SECONDS
from sandbox.tables import Document
from sandbox.views.thirdparty import ThirdPartyView

Segment = list[str]


def orders_sent(view: ThirdPartyView, doc_no: str, shipped: bool) -> list[Document]:
    """What it was sent to pick (940), in the shape of the warehouse system's orders."""
    found = []
    for segments in _sets(view, f"940 {doc_no}"):
        answered = view.interchanges.ids_by("about", f"997 {doc_no}")
        status = "ACKNOWLEDGED" if answered else "SENT"
        found.append(
            {
                "OrderNbr": doc_no,
                "HostOrder": doc_no,
                "Status": "SHIPPED" if shipped else status,
                "CreatedMs": _clock_ms(segments),
                "PickedMs": None,
                "PackedMs": None,
                "Lines": [
                    {"HostLine": line, "Sku": sku, "OrdQty": qty, "Uom": "EA"}
                    for line, sku, qty in _lines(segments, "W01", 1)
                ],
            }
        )
    return found


def shipments_told(view: ThirdPartyView, doc_no: str, names: Iterable[str]) -> list[Document]:
    """What it said has left (945), in the shape of the warehouse system's shipments."""
    found = []
    for name in names:
        for segments in _sets(view, f"945 {name}"):
            tracking = next(row[2] for row in segments if row[:2] == ["N9", "CN"])
            found.append(
                {
                    "ShipNbr": name,
                    "OrderNbr": doc_no,
                    "HostOrder": doc_no,
                    "Status": "SHIPPED",
                    "ShippedMs": _clock_ms(segments),
                    "TrackingNbr": tracking,
                    "Lines": [
                        {"HostLine": line, "Sku": sku, "Qty": qty, "Uom": "EA"}
                        for line, sku, qty in _lines(segments, "W12", 3)
                    ],
                }
            )
    return found


def advised(view: ThirdPartyView, gtin: str) -> tuple[str, str] | None:
    """What its newest inventory advice (846) has of an item, and of which day it is."""
    numbers = [path for path in view.interchanges.ids() if "/846-" in path]
    if not numbers:
        return None
    segments = _segments(view.interchanges.edit(numbers[-1]))
    day = next(row[2] for row in segments if row[:2] == ["DTM", "405"])
    mine = False
    for row in segments:
        if row[0] == "LIN":
            mine = gtin in row
        elif row[0] == "QTY" and mine:
            return row[2], f"{day[:4]}-{day[4:6]}-{day[6:]}"
    return None


def _sets(view: ThirdPartyView, about: str) -> Iterator[list[Segment]]:
    for path in view.interchanges.ids_by("about", about):
        yield _segments(json.loads(view.interchanges.text(path)))


def _segments(document: Document) -> list[Segment]:
    return [row.split("*") for row in document["text"].replace("\n", "").split("~") if row]


def _clock_ms(segments: list[Segment]) -> int:
    """When it was written, on the clock of the warehouse system, as the page reads all of them."""
    group = next(row for row in segments if row[0] == "GS")
    moment = datetime.strptime(group[4] + group[5], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return int((moment.timestamp() + WMS_CLOCK_FAST_SECONDS) * 1000)


def _lines(segments: list[Segment], detail: str, quantity: int) -> Iterator[tuple[int, str, int]]:
    """Line of the host, item and eaches of each detail; the line follows its item."""
    sku, eaches = "", 0
    for row in segments:
        if row[0] == detail:
            # The GTIN holds the item's number before its check digit.
            sku, eaches = wms_sku(int(row[-1][-7:-1])), int(row[quantity])
        elif row[:2] == ["N9", "LI"]:
            yield int(row[2]), sku, eaches
