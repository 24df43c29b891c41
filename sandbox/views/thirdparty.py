"""What is exchanged with the third-party warehouse: X12 940, 943, 944, 945, 947, 846 and 997."""

from __future__ import annotations

from typing import Any

from sandbox.catalogue import THIRD_PARTY, gtin14
from sandbox.views.partners import INBOUND, OUTBOUND, PartnersView
from sandbox.x12 import clock_time, day

NAME = "TPL"
"""How it is called in envelopes."""

_REASONS = {"CC": "AA", "DMG": "AU"}
"""Our reasons of adjustments in data element 181: physical count, damaged in the building."""

_PLACE = ("N1", "WH", "THIRD PARTY LOGISTICS", "92", THIRD_PARTY)


class ThirdPartyView(PartnersView):
    """Its one folder. What it is told is outbound; what left, came, was counted is inbound."""

    system = "threepl"

    def on_order_released(self, data: dict[str, Any], when: float, stamp: float) -> None:
        segments = [("W05", "N", data["doc_no"]), _PLACE]
        for position, line in enumerate(data["lines"], start=1):
            segments += [
                ("LX", str(position)),
                ("W01", str(line["qty"]), "EA", "", *_item(line["item"])),
                ("N9", "LI", str(line["line"] * 10)),
            ]
        segments.append(("W76", str(sum(line["qty"] for line in data["lines"]))))
        self.write(NAME, OUTBOUND, "940", data["doc_no"], when, segments)

    def on_release_arrived(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self.acknowledge(NAME, "940", data["doc_no"], when)

    def on_shipped(self, data: dict[str, Any], when: float, stamp: float) -> None:
        segments = [
            ("W06", "N", data["doc_no"], day(when), data["shipment"]),
            _PLACE,
            ("G62", "11", day(when)),
        ]
        for position, line in enumerate(data["lines"], start=1):
            qty = str(line["qty"])
            segments += [
                ("LX", str(position)),
                ("N9", "CN", data["tracking"]),
                ("W12", "CC", qty, qty, "", "EA", "", *_item(line["item"])),
                ("N9", "LI", str(line["line"] * 10)),
            ]
        segments.append(("W03", str(sum(line["qty"] for line in data["lines"]))))
        self.write(NAME, INBOUND, "945", data["shipment"], when, segments)

    def on_shipment_announced(self, data: dict[str, Any], when: float, stamp: float) -> None:
        segments = [
            ("W06", "N", data["notice"], day(when), data["notice"], "", data["purchase"]),
            _PLACE,
        ]
        for line in data["lines"]:
            segments += [
                ("W04", str(line["qty"]), "EA", "", *_item(line["item"])),
                ("N9", "LI", str(line["line"])),
            ]
        segments.append(("W03", str(sum(line["qty"] for line in data["lines"]))))
        self.write(NAME, OUTBOUND, "943", data["notice"], when, segments)

    def on_notice_arrived(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self.acknowledge(NAME, "943", data["notice"], when)

    def on_stock_received(self, data: dict[str, Any], when: float, stamp: float) -> None:
        qty = str(data["qty"])
        segments = [
            ("W17", "F", day(when), data["ref"], "", data.get("notice", "")),
            _PLACE,
            *([("N9", "PO", data["purchase"])] if "purchase" in data else []),
            ("W07", qty, "EA", "", *_item(data["item"])),
            *([("N9", "LI", str(data["line"]))] if "line" in data else []),
            ("W14", qty),
        ]
        self.write(NAME, INBOUND, "944", data["ref"], when, segments)

    def on_stock_adjusted(self, data: dict[str, Any], when: float, stamp: float) -> None:
        segments = [
            ("W15", day(when), data["ref"]),
            _PLACE,
            ("W19", _REASONS[data["reason"]], str(data["qty"]), "EA", "", *_item(data["item"])),
        ]
        self.write(NAME, INBOUND, "947", data["ref"], when, segments)

    def on_stock_advised(self, data: dict[str, Any], when: float, stamp: float) -> None:
        moment = (day(data["as_of"]), clock_time(data["as_of"]))
        segments = [
            ("BIA", "00", "MM", data["advice"], *moment),
            ("DTM", "405", *moment),
            _PLACE,
        ]
        for item, on_hand in data["on_hand"]:
            segments += [("LIN", "", *_item(item)), ("QTY", "17", str(on_hand), "EA")]
        segments.append(("CTT", str(len(data["on_hand"]))))
        self.write(NAME, INBOUND, "846", data["advice"], when, segments)


def _item(item: int) -> tuple[str, str]:
    return "UK", gtin14(item)
