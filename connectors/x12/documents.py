"""The documents that corrections write, as segments: 850, 860, 856 and 940 from canonical payloads.

Which elements are mandatory and how long they may be is that of release 004010.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.corrections import NotRepresentableError, decimal
from connectors.x12.profile import PartnerProfile
from connectors.x12.writing import NewSet

# X12 data element 353 (purpose) and 473 (status of a warehouse order).
ORIGINAL, CANCELLATION, CHANGE, REPLACEMENT = "00", "01", "04", "05"
NEW_ORDER, CANCELLED_ORDER = "N", "F"
# An R element holds at most 15 digits; ours have six decimals at most.
_MOST_DIGITS = 15


def warehouse_order(
    profile: PartnerProfile, payload: Mapping[str, Any], status: str, now: datetime
) -> NewSet:
    """940. ``payload``: host_order, location, lines[host_line, target_item, quantity, uom]."""
    order = _fit(payload["host_order"], 22, "order number")
    segments = [["W05", status, order], ["N1", "WH", "", "92", _location(profile, payload)]]
    total = Decimal(0)
    for number, line in enumerate(payload["lines"], start=1):
        total += decimal(line["quantity"])
        item = _item(profile, line)
        segments += [
            ["LX", str(number)],
            ["W01", _number(line["quantity"]), _unit(profile, line), "", *item],
            ["N9", "LI", _fit(line["host_line"], 30, "line number")],
        ]
    segments.append(["W76", _number(total)])
    return NewSet("940", segments)


def purchase_order(profile: PartnerProfile, payload: Mapping[str, Any], now: datetime) -> NewSet:
    """850. ``payload``: po_number, currency, lines[line_no, target_item, quantity, uom,
    unit_price]; requested_on and ship_to if known."""
    number = _fit(payload["po_number"], 22, "order number")
    segments = [
        ["BEG", ORIGINAL, "SA", number, "", f"{now:%Y%m%d}"],
        ["CUR", "BY", str(payload["currency"])],
        *_requested(payload),
    ]
    if payload.get("ship_to"):
        segments.append(["N1", "ST", "", "92", _fit(payload["ship_to"], 80, "place")])
    for line in payload["lines"]:
        segments.append(
            [
                "PO1",
                _fit(line["line_no"], 20, "line number"),
                _number(line["quantity"]),
                _unit(profile, line),
                _number(line["unit_price"]),
                "",
                *_item(profile, line),
            ]
        )
    segments.append(["CTT", str(len(payload["lines"]))])
    return NewSet("850", segments)


def purchase_order_change(
    profile: PartnerProfile, payload: Mapping[str, Any], backwards: bool, now: datetime
) -> NewSet:
    """860 that sets new quantities and prices, or the old ones again when ``backwards``.

    ``payload``: po_number, lines[line_record, target_item, uom, quantity, old_quantity, unit_price,
    old_unit_price]. A quantity of zero deletes the line, and one from zero adds it.
    """
    segments = [_change_head(payload, CHANGE, now), *_requested(payload)]
    for line in payload["lines"]:
        before = decimal(line["old_quantity"]), decimal(line["old_unit_price"])
        after = decimal(line["quantity"]), decimal(line["unit_price"])
        if backwards:
            before, after = after, before
        segments.append(
            [
                "POC",
                _fit(line["line_record"], 20, "line number"),
                _change_code(before, after),
                _number(after[0]),
                "",
                _unit(profile, line),
                _number(after[1]),
                "",
                *_item(profile, line),
            ]
        )
    segments.append(["CTT", str(len(payload["lines"]))])
    return NewSet("860", segments)


def purchase_order_cancellation(payload: Mapping[str, Any], now: datetime) -> NewSet:
    """860 that cancels a whole order."""
    return NewSet("860", [_change_head(payload, CANCELLATION, now)])


def shipment_notice(
    profile: PartnerProfile,
    payload: Mapping[str, Any],
    purpose: str,
    quantity_field: str,
    now: datetime,
) -> NewSet:
    """856 of one order: shipment, order, items. ``quantity_field`` is quantity or old_quantity.

    ``payload``: shipment_number, po_number, shipped_on, lines[line_record, target_item, quantity,
    uom]; tracking_number, carrier and bill_of_lading if known. A replacement says old_quantity too.
    """
    shipped = str(payload["shipped_on"]).replace("-", "")
    segments = [
        [
            "BSN",
            purpose,
            _fit(payload["shipment_number"], 30, "shipment number"),
            f"{now:%Y%m%d}",
            f"{now:%H%M%S}",
            # X12 data element 1005: shipment, order, item.
            "0004",
        ],
        ["HL", "1", "", "S"],
    ]
    if payload.get("carrier"):
        segments.append(["TD5", "", "2", _fit(payload["carrier"], 80, "carrier")])
    for qualifier, name in (("BM", "bill_of_lading"), ("CN", "tracking_number")):
        if payload.get(name):
            segments.append(["REF", qualifier, _fit(payload[name], 30, name)])
    segments += [
        ["DTM", "011", shipped],
        ["HL", "2", "1", "O"],
        ["PRF", _fit(payload["po_number"], 22, "order number")],
    ]
    for number, line in enumerate(payload["lines"], start=3):
        record = _fit(line["line_record"], 20, "line number")
        quantity = _number(line[quantity_field])
        segments += [
            ["HL", str(number), "2", "I"],
            ["LIN", record, *_item(profile, line)],
            ["SN1", record, quantity, _unit(profile, line)],
        ]
    segments.append(["CTT", str(len(payload["lines"]) + 2)])
    return NewSet("856", segments)


def _change_head(payload: Mapping[str, Any], purpose: str, now: datetime) -> list[str]:
    ordered = str(payload.get("ordered_on") or "").replace("-", "") or f"{now:%Y%m%d}"
    number = _fit(payload["po_number"], 22, "order number")
    return ["BCH", purpose, "SA", number, "", "", ordered, "", "", "", "", f"{now:%Y%m%d}"]


def _change_code(before: tuple[Decimal, Decimal], after: tuple[Decimal, Decimal]) -> str:
    """X12 data element 670, from quantity and price before and after."""
    if after[0] == 0:
        return "DI"
    if before[0] == 0:
        return "AI"
    if before[1] != after[1]:
        return "PC" if before[0] == after[0] else "CA"
    return "QI" if after[0] > before[0] else "QD"


def _requested(payload: Mapping[str, Any]) -> list[list[str]]:
    day = payload.get("requested_on")
    return [["DTM", "002", str(day).replace("-", "")]] if day else []


def _item(profile: PartnerProfile, line: Mapping[str, Any]) -> Sequence[str]:
    return profile.item_qualifiers[0], _fit(line["target_item"], 48, "item")


def _unit(profile: PartnerProfile, line: Mapping[str, Any]) -> str:
    """The partner's code for our unit."""
    uom = str(line.get("uom") or "EA")
    for code, unit in profile.units.items():
        if unit.uom == uom and unit.factor in (0, 1):
            return code
    raise NotRepresentableError(
        f"{profile.partner} has no unit for {uom}: add one to the units of its profile"
    )


def _location(profile: PartnerProfile, payload: Mapping[str, Any]) -> str:
    """The partner's code for our location."""
    location = str(payload["location"])
    translations = profile.codes.get("location", {})
    theirs = [code for code, ours in translations.items() if ours == location]
    return _fit(theirs[0] if theirs else location, 80, "location")


def _number(value: Any) -> str:
    number = decimal(value).normalize()
    text = f"{number:f}"
    if len(text.replace("-", "").replace(".", "")) > _MOST_DIGITS:
        raise NotRepresentableError(f"{value} has more than {_MOST_DIGITS} digits")
    return text


def _fit(value: Any, length: int, what: str) -> str:
    text = str(value).strip()
    if not text or len(text) > length:
        raise NotRepresentableError(f"{what} {text!r} does not fit 1 to {length} characters")
    return text
