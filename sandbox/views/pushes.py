"""What carriers pushed to us: one payload a scan, in the shape of the carrier that made it."""

from __future__ import annotations

from typing import Any

from sandbox.carriers import BY_SCAC, pushed
from sandbox.clock import iso_utc
from sandbox.numbers import Numbers
from sandbox.tables import Table
from sandbox.views.base import View

NAME = "pushes"


class PushesView(View):
    """One append-only list of payloads, in the order in which they arrived."""

    system = NAME

    def __init__(self, numbers: Numbers) -> None:
        self.scans = Table(
            "pushes", ("event-id",), sequence_field="seq", indexes=("tracking-number",)
        )
        super().__init__(numbers, (self.scans,))

    def on_parcel_scanned(self, data: dict[str, Any], when: float, stamp: float) -> None:
        carrier = BY_SCAC[data["carrier"]]
        self.scans.put(
            {
                "seq": 0,
                "event-id": self.numbers.next("scan"),
                "tracking-number": data["tracking"],
                # What the page shows beside those of the house carrier.
                "code": data["code"],
                "timestamp": iso_utc(data["scanned_at"]),
                "payload": pushed(
                    carrier, data["tracking"], data["code"], data["scanned_at"], data["zone"]
                ),
            }
        )
