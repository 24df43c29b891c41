"""What the carrier holds: scans of parcels, in the order in which they were reported."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from sandbox.clock import DAY, local_with_offset
from sandbox.numbers import Numbers
from sandbox.tables import Table
from sandbox.views.base import View

EXPECTED_WITHIN = 3 * DAY
"""How long after its label a carrier expects to deliver a parcel; no usual parcel takes longer."""


class CarrierView(View):
    """One append-only feed of scans."""

    system = "carrier"

    def __init__(self, numbers: Numbers) -> None:
        self.scans = Table(
            "events", ("event-id",), sequence_field="seq", indexes=("tracking-number",)
        )
        super().__init__(numbers, (self.scans,))

    def on_parcel_scanned(self, data: dict[str, Any], when: float, stamp: float) -> None:
        zone = ZoneInfo(data["zone"])
        scanned = local_with_offset(data["scanned_at"], zone)
        expected = data.get("expected_at")
        if data["code"] == "OC":
            expected = data["scanned_at"] + EXPECTED_WITHIN
        told = None if expected is None else local_with_offset(expected, zone)
        if data.get("zone_dropped"):
            scanned = scanned[:-6] + "+00:00"
        self.scans.put(
            {
                "seq": 0,
                "event-id": self.numbers.next("scan"),
                "tracking-number": data["tracking"],
                "code": data["code"],
                "timestamp": scanned,
                "reported-at": local_with_offset(when, zone),
                "expected-delivery": told,
                "reason": data.get("reason"),
                "reference": data["shipment"],
            }
        )

    def on_last_scan_resent(self, data: dict[str, Any], when: float, stamp: float) -> None:
        """The newest scan of a parcel once more, nothing in it changed."""
        self.scans.put(self.scans.by("tracking-number", data["tracking"])[-1])
