"""What is exchanged with suppliers: X12 interchanges, each a file in the supplier's folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.views.partners import INBOUND, OUTBOUND, PartnersView, item_pairs
from sandbox.x12 import clock_time, day


class SuppliersView(PartnersView):
    """All suppliers; each is called in envelopes as the ERP names it."""

    system = "suppliers"

    def on_purchase_ordered(self, data: dict[str, Any], when: float, stamp: float) -> None:
        lines = [
            (
                "PO1",
                str(line["line"]),
                str(line["qty"]),
                "EA",
                _money(line["cost"]),
                "",
                *item_pairs(line["item"]),
            )
            for line in data["lines"]
        ]
        head = [
            ("BEG", "00", "NE" if data["location"] else "DS", data["purchase"], "", day(when)),
            ("CUR", "BY", "USD"),
            ("DTM", "002", day(data["promised_at"])),
            _ship_to(data),
        ]
        self.write(
            data["supplier"],
            OUTBOUND,
            "850",
            data["purchase"],
            when,
            [*head, *lines, _total(lines)],
        )

    def on_purchase_arrived(self, data: dict[str, Any], when: float, stamp: float) -> None:
        """The supplier's translator acknowledges the order's interchange."""
        self.acknowledge(data["supplier"], "850", data["purchase"], when)

    def on_purchase_acknowledged(self, data: dict[str, Any], when: float, stamp: float) -> None:
        body: list[Sequence[str]] = []
        for line in data["lines"]:
            qty = str(line["qty"])
            body += [
                (
                    "PO1",
                    str(line["line"]),
                    qty,
                    "EA",
                    _money(line["cost"]),
                    "",
                    *item_pairs(line["item"]),
                ),
                ("ACK", "IA", qty, "EA", "067", day(data["promised_at"])),
            ]
        head = [
            ("BAK", "00", "AC", data["purchase"], day(when), *[""] * 4, day(when)),
            ("CUR", "BY", "USD"),
        ]
        self.write(
            data["supplier"],
            INBOUND,
            "855",
            data["purchase"],
            when,
            [*head, *body, _total(data["lines"])],
            data.get("broken"),
        )

    def on_shipment_announced(self, data: dict[str, Any], when: float, stamp: float) -> None:
        head = [
            ("BSN", "00", data["notice"], day(when), clock_time(when)),
            ("HL", "1", "", "S"),
            *([("REF", "CN", data["tracking"])] if "tracking" in data else []),
            ("DTM", "011", day(when)),
            _ship_to(data),
            ("HL", "2", "1", "O"),
            ("PRF", data["purchase"]),
        ]
        body: list[Sequence[str]] = []
        for level, line in enumerate(data["lines"], start=3):
            body += [
                ("HL", str(level), "2", "I"),
                ("LIN", str(line["line"]), *item_pairs(line["item"])),
                ("SN1", str(line["line"]), str(line["qty"]), "EA"),
            ]
        self.write(
            data["supplier"],
            INBOUND,
            "856",
            data["purchase"],
            when,
            [*head, *body, ("CTT", str(2 + len(data["lines"])))],
        )

    def on_shipped(self, data: dict[str, Any], when: float, stamp: float) -> None:
        """What leaves for a customer is announced by the purchase order."""

    def on_supplier_invoiced(self, data: dict[str, Any], when: float, stamp: float) -> None:
        lines = [
            (
                "IT1",
                str(line["line"]),
                str(line["qty"]),
                "EA",
                _money(line["cost"]),
                "",
                *item_pairs(line["item"]),
            )
            for line in data["lines"]
        ]
        cents = sum(line["qty"] * line["cost"] for line in data["lines"])
        head = [
            ("BIG", day(when), data["invoice"], "", data["purchase"], "", "", "DI"),
            ("CUR", "SE", "USD"),
        ]
        segments = [*head, *lines, ("TDS", str(cents)), _total(lines)]
        self.write(data["supplier"], INBOUND, "810", data["purchase"], when, segments)


def _ship_to(data: dict[str, Any]) -> tuple[str, ...]:
    """Our place, by our code, or a customer, whom no code of ours names."""
    if data["location"]:
        return "N1", "ST", "DISTRIBUTOR", "92", data["location"]
    return "N1", "ST", data["customer"]


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _total(lines: Sequence[Any]) -> tuple[str, str]:
    return "CTT", str(len(lines))
