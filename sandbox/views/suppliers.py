"""What is exchanged with suppliers: X12 interchanges, each a file in the supplier's folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.catalogue import erp_item, gtin14
from sandbox.numbers import Numbers
from sandbox.tables import Table
from sandbox.views.base import View
from sandbox.x12 import clock_time, day, interchange

US = "DISTRIB"
"""How we are called in envelopes; a supplier is called as the ERP names it."""

INBOUND, OUTBOUND = "inbound", "outbound"


class SuppliersView(View):
    """All suppliers. ``outbound`` holds what was sent to one, ``inbound`` what it sent."""

    system = "suppliers"

    def __init__(self, numbers: Numbers) -> None:
        self.interchanges = Table("interchanges", ("path",), indexes=("about",))
        super().__init__(numbers, (self.interchanges,))

    def on_purchase_ordered(self, data: dict[str, Any], when: float, stamp: float) -> None:
        lines = [
            (
                "PO1",
                str(line["line"]),
                str(line["qty"]),
                "EA",
                _money(line["cost"]),
                "",
                *_item(line),
            )
            for line in data["lines"]
        ]
        head = [
            ("BEG", "00", "NE", data["purchase"], "", day(when)),
            ("CUR", "BY", "USD"),
            ("DTM", "002", day(data["promised_at"])),
            ("N1", "ST", "DISTRIBUTOR", "92", data["location"]),
        ]
        self._write(data, OUTBOUND, "850", when, [*head, *lines, _total(lines)])

    def on_purchase_arrived(self, data: dict[str, Any], when: float, stamp: float) -> None:
        """The supplier's translator acknowledges the order's interchange."""
        (sent,) = self.interchanges.by("about", f"850 {data['purchase']}")
        segments = [
            ("AK1", "PO", str(sent["control"])),
            ("AK2", "850", "0001"),
            ("AK5", "A"),
            ("AK9", "A", "1", "1", "1"),
        ]
        self._write(data, INBOUND, "997", when, segments)

    def on_purchase_acknowledged(self, data: dict[str, Any], when: float, stamp: float) -> None:
        body: list[Sequence[str]] = []
        for line in data["lines"]:
            qty = str(line["qty"])
            body += [
                ("PO1", str(line["line"]), qty, "EA", _money(line["cost"]), "", *_item(line)),
                ("ACK", "IA", qty, "EA", "067", day(data["promised_at"])),
            ]
        head = [
            ("BAK", "00", "AC", data["purchase"], day(when), *[""] * 4, day(when)),
            ("CUR", "BY", "USD"),
        ]
        self._write(data, INBOUND, "855", when, [*head, *body, _total(data["lines"])])

    def on_shipment_announced(self, data: dict[str, Any], when: float, stamp: float) -> None:
        head = [
            ("BSN", "00", data["notice"], day(when), clock_time(when)),
            ("HL", "1", "", "S"),
            ("DTM", "011", day(when)),
            ("N1", "ST", "DISTRIBUTOR", "92", data["location"]),
            ("HL", "2", "1", "O"),
            ("PRF", data["purchase"]),
        ]
        body: list[Sequence[str]] = []
        for level, line in enumerate(data["lines"], start=3):
            body += [
                ("HL", str(level), "2", "I"),
                ("LIN", str(line["line"]), *_item(line)),
                ("SN1", str(line["line"]), str(line["qty"]), "EA"),
            ]
        self._write(
            data, INBOUND, "856", when, [*head, *body, ("CTT", str(2 + len(data["lines"])))]
        )

    def on_supplier_invoiced(self, data: dict[str, Any], when: float, stamp: float) -> None:
        lines = [
            (
                "IT1",
                str(line["line"]),
                str(line["qty"]),
                "EA",
                _money(line["cost"]),
                "",
                *_item(line),
            )
            for line in data["lines"]
        ]
        cents = sum(line["qty"] * line["cost"] for line in data["lines"])
        head = [
            ("BIG", day(when), data["invoice"], "", data["purchase"], "", "", "DI"),
            ("CUR", "SE", "USD"),
        ]
        segments = [*head, *lines, ("TDS", str(cents)), _total(lines)]
        self._write(data, INBOUND, "810", when, segments)

    def _write(
        self,
        data: dict[str, Any],
        direction: str,
        code: str,
        when: float,
        segments: Sequence[Sequence[str]],
    ) -> None:
        supplier = data["supplier"]
        control = self.numbers.next_int(f"{supplier} {direction}")
        sender, receiver = (US, supplier) if direction == OUTBOUND else (supplier, US)
        self.interchanges.put(
            {
                "path": f"{supplier.lower()}/{direction}/{code}-{control:09}.edi",
                "about": f"{code} {data['purchase']}",
                "control": control,
                "text": interchange(sender, receiver, control, when, code, segments),
            }
        )


def _item(line: dict[str, int]) -> tuple[str, str, str, str]:
    """Our item number (BP) and its GTIN (UK)."""
    return "BP", erp_item(line["item"]), "UK", gtin14(line["item"])


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _total(lines: Sequence[Any]) -> tuple[str, str]:
    return "CTT", str(len(lines))
