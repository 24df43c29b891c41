"""The numbers that the systems give to their documents. They go on counting over restarts."""

from __future__ import annotations

_FORMATS = {
    "order": "{:d}",
    "extra_doc": "E{:d}",
    "north_order": "{:d}",
    "extra_wms_order": "W{:d}",
    "shipment": "SHP-{:06d}",
    "tracking": "TRK{:07d}",
    "pushed_parcel": "{:d}",
    "fulfilment": "F{:d}",
    "invoice": "I{:d}",
    "adjustment": "ADJ-{:06d}",
    "receipt": "RC-{:06d}",
    "purchase_order": "PO-{:d}",
    "purchase": "4500{:06d}",
    "notice": "ASN-{:06d}",
    "supplier_invoice": "SI-{:06d}",
    "transfer": "TR-{:06d}",
    "return": "RMA-{:06d}",
    "credit": "CM-{:06d}",
    "payment": "PY-{:06d}",
    "advice": "INV-{:06d}",
    "count": "CNT-{:06d}",
    "movement": "{:d}",
    "transaction": "{:d}",
    "scan": "EV{:d}",
    "fault": "FLT-{:04d}",
    "decoy": "DCY-{:04d}",
}

LIVE_NUMBERS_FROM = 1_000_000
"""What a live world numbers lies above this, so that it never meets what is injected meanwhile."""


class Numbers:
    """Counters by name. ``orders`` is the size of the history, which leaves room for its own."""

    def __init__(self, orders: int = 0, counts: dict[str, int] | None = None) -> None:
        room = max(80_000, 2 * orders)
        self.counts = counts or {
            "extra_doc": 500_000 + room,
            "extra_wms_order": 300_000 + room,
            "fulfilment": 700_000,
            "invoice": 900_000,
            "purchase_order": 77_000,
        }

    def next(self, name: str) -> str:
        """The next number of a kind, in the form in which the systems write it."""
        return _FORMATS[name].format(self.next_int(name))

    def next_int(self, name: str) -> int:
        """The next number of a kind that has no form of its own."""
        count = self.counts.get(name, 0) + 1
        while self.counts.pop(_taken(name, count), None):
            count += 1
        self.counts[name] = count
        return count

    def take(self, name: str, count: int) -> bool:
        """Give a number out of turn; False when its turn was before."""
        if count <= self.counts.get(name, 0) or _taken(name, count) in self.counts:
            return False
        self.counts[_taken(name, count)] = 1
        return True

    def leave_room(self) -> None:
        """Go on counting so much higher that nobody who counts on from here comes into the way."""
        for name in _FORMATS:
            self.counts[name] = self.counts.get(name, 0) + LIVE_NUMBERS_FROM


def _taken(name: str, count: int) -> str:
    return f"{name} {count}"
