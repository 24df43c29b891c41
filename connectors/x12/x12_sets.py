"""What each X12 set says, as lines of contract entities: one function a set.

Segment and element positions are those of release 004010; 005010 has them at the same places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from connectors.x12.reading import (
    Line,
    Placed,
    Reading,
    implied,
    numbered,
    places,
    plain_moment,
)

# X12 data element 623. ``LT`` is local time: the zone is the partner's.
_FIXED_ZONES = {
    "UT": 0, "GM": 0, "ES": -5, "ED": -4, "CS": -6, "CD": -5, "MS": -7, "MD": -6, "PS": -8,
    "PD": -7, "NS": -3.5, "ND": -2.5, "TS": -4, "TD": -3, "AS": -9, "AD": -8, "HS": -10, "HD": -9,
}  # fmt: skip
_NAMED_ZONES = {
    "ET": "America/New_York", "CT": "America/Chicago", "MT": "America/Denver",
    "PT": "America/Los_Angeles", "AT": "America/Anchorage", "HT": "Pacific/Honolulu",
    "TT": "America/Halifax", "NT": "America/St_Johns",
}  # fmt: skip


def read_850(r: Reading) -> Iterator[Line]:
    """Purchase order."""
    beg = r.header("BEG")
    head, lines = r.groups("PO1", "CTT")
    yield from _order(r, beg, head, lines, number=3, ordered_on=5, line_reader=_po1)


def read_860(r: Reading) -> Iterator[Line]:
    """Purchase order change. A change of the whole order may have no lines."""
    bch = r.header("BCH")
    has_lines = r.first("POC") is not None or bch.get(1) != "01"
    head, lines = r.groups("POC", "CTT") if has_lines else (r.placed, [])
    yield from _order(r, bch, head, lines, number=3, ordered_on=6, line_reader=_poc)


def _order(
    r: Reading,
    begin: Placed,
    head: Sequence[Placed],
    lines: Sequence[Sequence[Placed]],
    number: int,
    ordered_on: int,
    line_reader: Callable[[Reading, Placed], dict[str, str | None]],
) -> Iterator[Line]:
    order = {
        "po_number": r.required(begin, number),
        "purpose_code": r.code("purpose_code", r.required(begin, 1)),
        "currency": _currency(r, head),
    }
    requested = r.date(r.first("DTM", head, e1="002") or r.first("DTM", head, e1="010"), 2)
    yield Line(
        "purchase_orders",
        {
            **order,
            "order_type": begin.get(2),
            "change_number": begin.get(5) if begin.tag == "BCH" else None,
            "ordered_on": r.date(begin, ordered_on),
            "requested_on": requested,
            "ship_to": r.party("ST", head),
        },
        places(head),
    )
    for ordinal, group in numbered(lines):
        first = group[0]
        fields = line_reader(r, first)
        dated = r.first("DTM", group, e1="002") or r.first("DTM", group, e1="010")
        yield Line(
            "purchase_order_lines",
            {
                **order,
                "line_number": first.get(1) or ordinal,
                **_with_pack(r, group, fields),
                "requested_on": r.date(dated, 2) or requested,
            },
            places(head, group),
        )


def _po1(r: Reading, line: Placed) -> dict[str, str | None]:
    return {
        "change_code": None,
        **r.quantity(line, 2, line.get(3)),
        "unit_price": r.number(line, 4),
        **r.item_of(line, 6),
    }


def _poc(r: Reading, line: Placed) -> dict[str, str | None]:
    return {
        "change_code": r.code("change_code", r.required(line, 2)),
        **r.quantity(line, 3, line.get(5)),
        "unit_price": r.number(line, 6),
        **r.item_of(line, 8),
    }


@dataclass(frozen=True)
class _AnswerLayout:
    """Where an acknowledgement has things: elements of its first segment and of its lines."""

    line_tag: str
    acknowledged_on: int
    quantity: int
    unit: int
    price: int
    item: int


def read_855(r: Reading) -> Iterator[Line]:
    """Purchase order acknowledgement."""
    layout = _AnswerLayout("PO1", acknowledged_on=9, quantity=2, unit=3, price=4, item=6)
    yield from _acknowledgement(r, r.header("BAK"), layout)


def read_865(r: Reading) -> Iterator[Line]:
    """Purchase order change acknowledgement, or a change that the seller wants."""
    layout = _AnswerLayout("POC", acknowledged_on=11, quantity=3, unit=5, price=6, item=8)
    yield from _acknowledgement(r, r.header("BCA"), layout)


def _acknowledgement(r: Reading, begin: Placed, layout: _AnswerLayout) -> Iterator[Line]:
    answer = r.code("status_code", r.required(begin, 2))
    order = {
        "po_number": r.required(begin, 3),
        "purpose_code": r.code("purpose_code", r.required(begin, 1)),
        "seller_order": begin.get(8) or r.reference("VN"),
    }
    # An answer without detail (AK, AT, RJ) is about the whole order and has no lines.
    has_lines = r.first(layout.line_tag) is not None or answer in ("AC", "AD", "RD")
    head, lines = r.groups(layout.line_tag, "CTT") if has_lines else (r.placed, [])
    acknowledged = r.date(begin, layout.acknowledged_on)
    yield Line(
        "acknowledgements",
        {**order, "status_code": answer, "acknowledged_on": acknowledged},
        places(head),
    )
    for ordinal, group in numbered(lines):
        first = group[0]
        line = {
            **order,
            "line_number": first.get(1) or ordinal,
            "ordered_quantity": r.number(first, layout.quantity),
            "unit_price": r.number(first, layout.price),
            "currency": _currency(r, head),
            **r.item_of(first, layout.item),
        }
        # A line without an answer of its own is answered by the whole: with the order's quantity.
        answers = [placed for placed in group if placed.tag == "ACK"]
        for part, ack in enumerate(answers or [None], start=1):
            if ack is not None and ack.get(2):
                amount = r.quantity(ack, 2, ack.get(3) or first.get(layout.unit))
            else:
                amount = r.quantity(first, layout.quantity, first.get(layout.unit))
            yield Line(
                "acknowledgement_lines",
                {
                    **line,
                    "part": str(part),
                    "status_code": r.code("status_code", r.required(ack, 1)) if ack else answer,
                    **_with_pack(r, group, amount),
                    "promised_on": r.date(ack, 5),
                },
                places(head, group),
            )


def read_856(r: Reading) -> Iterator[Line]:
    """Ship notice: a tree of levels (HL), of which the items are the lines."""
    bsn = r.header("BSN")
    head, levels = r.groups("HL", "CTT")
    by_number = {group[0].get(1): group for group in levels}
    shipment = {
        "shipment_number": r.required(bsn, 2),
        "purpose_code": r.code("purpose_code", r.required(bsn, 1)),
    }
    found = False
    for ordinal, group in numbered(levels):
        if group[0].get(3) != "I":
            continue
        found = True
        branch = _branch(group, by_number)
        above = [placed for level in branch for placed in level]
        line, sent = r.first("LIN", group), r.first("SN1", group)
        if sent is None:
            r.absent("SN1", group[0])
            continue
        order = r.first("PRF", above)
        mark = r.first("MAN", above)
        carrier = r.first("TD5", above)
        yield Line(
            "shipment_notice_lines",
            {
                **shipment,
                "line_id": group[0].get(1) or ordinal,
                "po_number": order.get(1) if order else None,
                "line_number": (line.get(1) if line else None) or sent.get(1),
                **_with_pack(r, group, r.quantity(sent, 2, sent.get(3))),
                "ordered_quantity": r.number(sent, 5),
                **r.item_of(line or sent, 2 if line else 99),
                "package_number": mark.get(2) if mark else None,
                "tracking_number": r.reference("CN 2I", above),
                "bill_of_lading": r.reference("BM", above),
                "carrier": carrier.get(3) or carrier.get(5) if carrier else None,
                "shipped_on": r.date(r.first("DTM", above, e1="011"), 2),
                "expected_on": r.date(
                    r.first("DTM", above, e1="017") or r.first("DTM", above, e1="067"), 2
                ),
                "ship_to": r.party("ST", above),
            },
            places(head, *branch),
        )
    if levels and not found:
        r.absent("HL with HL03 I", levels[-1][0])


def _branch(
    group: Sequence[Placed], by_number: dict[str | None, list[Placed]]
) -> list[Sequence[Placed]]:
    """An item's level and those above it, the item's first."""
    branch: list[Sequence[Placed]] = [group]
    while (parent := by_number.get(branch[-1][0].get(2))) is not None and parent not in branch:
        branch.append(parent)
    return branch


def read_810(r: Reading) -> Iterator[Line]:
    """Invoice or credit note."""
    big = r.header("BIG")
    head, lines = r.groups("IT1", "TDS CTT")
    total = r.first("TDS")
    amount = total.get(1) if total else None
    invoice = {
        "invoice_number": r.required(big, 2),
        "invoice_type": r.code("invoice_type", big.get(7)) or "DI",
        "invoiced_on": r.date(big, 1, needed=True),
        "po_number": big.get(4) or r.reference("PO"),
        "currency": _currency(r, head),
        "invoice_total": implied(amount, 2) if amount else None,
    }
    for ordinal, group in numbered(lines):
        first = group[0]
        yield Line(
            "invoice_lines",
            {
                **invoice,
                "line_id": ordinal,
                "line_number": first.get(1) or ordinal,
                **_with_pack(r, group, r.quantity(first, 2, first.get(3))),
                "unit_price": r.number(first, 4),
                **r.item_of(first, 6),
            },
            places(head, group),
        )


def read_846(r: Reading) -> Iterator[Line]:
    """Inventory advice: one line a place, item and kind of quantity (QTY01)."""
    bia = r.header("BIA")
    head, lines = r.groups("LIN", "CTT")
    place = r.party("WH SF ST", head) or r.code("location", r.reference("IO LU", head))
    told = r.first("DTM", head, e1="405") or r.first("DTM", head, e1="007")
    day = r.date(told, 2) or r.date(bia, 4, needed=True)
    as_of = plain_moment(day, (told.get(3) if told else None) or bia.get(5))
    for _, group in numbered(lines):
        dated = r.first("DTM", group, e1="405") or r.first("DTM", group, e1="007")
        moment = plain_moment(r.date(dated, 2), dated.get(3)) if dated else as_of
        where = r.party("WH SF ST", group) or place
        for placed in group:
            if placed.tag != "QTY":
                continue
            qualifier = r.required(placed, 1)
            yield Line(
                "inventory",
                {
                    "advice_number": bia.get(3),
                    "location": where,
                    "quantity_qualifier": qualifier,
                    "state": r.profile.codes.get("quantity_qualifier", {}).get(qualifier or ""),
                    **r.quantity(placed, 2, placed.get(3) or "EA"),
                    **r.item_of(group[0], 2),
                    "as_of": moment,
                },
                places(head, group),
            )


def read_940(r: Reading) -> Iterator[Line]:
    """Warehouse shipping order: what the warehouse is to ship."""
    w05 = r.header("W05")
    head, groups = r.groups("LX", "W76")
    order = {
        "host_order": r.required(w05, 2),
        "status_code": r.code("status_code", r.required(w05, 1)),
        "po_number": w05.get(3),
        "location": r.party("WH SF", head),
        "ship_to": r.party("ST", head),
        "requested_on": r.date(r.first("G62", head, e1="10"), 2),
    }
    for ordinal, group in numbered(groups):
        line = r.first("W01", group)
        if line is None:
            r.absent("W01", group[0])
            continue
        yield Line(
            "warehouse_order_lines",
            {
                **order,
                "line_number": r.reference("LI", group) or group[0].get(1) or ordinal,
                **r.quantity(line, 1, line.get(2)),
                **r.item_of(line, 4),
            },
            places(head, group),
        )


def read_945(r: Reading) -> Iterator[Line]:
    """Warehouse shipping advice: what left."""
    w06 = r.header("W06")
    head, groups = r.groups("LX", "W03")
    routing = r.first("W27", head)
    shipment = {
        "shipment_number": r.required(w06, 4),
        "host_order": r.required(w06, 2),
        "status_code": r.code("status_code", r.required(w06, 1)),
        "po_number": w06.get(6),
        "location": r.party("SF WH", head),
        "shipped_on": r.date(r.first("G62", head, e1="11"), 2) or r.date(w06, 3, needed=True),
        "bill_of_lading": r.reference("BM", head),
        "carrier": routing.get(2) if routing else None,
    }
    number = 0
    for group in groups:
        mark = r.first("MAN", group)
        for line_group in _within(group, "W12", r):
            number += 1
            line = line_group[0]
            yield Line(
                "shipment_lines",
                {
                    **shipment,
                    "line_id": str(number),
                    "host_line": r.reference("LI", line_group) or r.reference("LI", group),
                    "line_status_code": line.get(1),
                    "ordered_quantity": r.number(line, 2),
                    **r.quantity(line, 3, line.get(5)),
                    **_item_or_upc(r, line, upc=6, first=7),
                    "package_number": mark.get(2) if mark else None,
                    "tracking_number": r.reference("CN 2I", group) or r.reference("CN 2I", head),
                },
                places(head, group[:1], line_group),
            )


def read_943(r: Reading) -> Iterator[Line]:
    """Stock transfer shipment advice: goods on their way to the warehouse."""
    w06 = r.header("W06")
    head, lines = r.groups("W04", "W03")
    transfer = {
        "transfer_number": r.required(w06, 2),
        "shipment_number": w06.get(4),
        "po_number": w06.get(6) or r.reference("PO", head),
        "location": r.party("WH ST", head),
        "moved_on": r.date(w06, 3, needed=True),
    }
    for ordinal, group in numbered(lines):
        line = group[0]
        yield Line(
            "stock_transfer_lines",
            {
                **transfer,
                "line_id": ordinal,
                "line_number": r.reference("LI", group),
                **r.quantity(line, 1, line.get(2)),
                **_item_or_upc(r, line, upc=3, first=4),
                "damaged_quantity": None,
            },
            places(head, group),
        )


def read_944(r: Reading) -> Iterator[Line]:
    """Stock transfer receipt advice: goods that the warehouse took in."""
    w17 = r.header("W17")
    head, lines = r.groups("W07", "W14")
    receipt = {
        "transfer_number": r.required(w17, 3),
        "shipment_number": w17.get(5),
        "po_number": r.reference("PO", head) or w17.get(4),
        "location": r.party("WH", head),
        "moved_on": r.date(w17, 2, needed=True),
    }
    for ordinal, group in numbered(lines):
        line = group[0]
        damaged = r.first("W13", group, e3="01")
        yield Line(
            "stock_transfer_lines",
            {
                **receipt,
                "line_id": ordinal,
                "line_number": r.reference("LI", group),
                **r.quantity(line, 1, line.get(2)),
                **_item_or_upc(r, line, upc=3, first=4),
                "damaged_quantity": r.number(damaged, 1) if damaged else None,
            },
            places(head, group),
        )


def read_947(r: Reading) -> Iterator[Line]:
    """Warehouse inventory adjustment advice."""
    w15 = r.header("W15")
    head, lines = r.groups("W19", "W18")
    adjustment = {
        "adjustment_number": r.required(w15, 2),
        "location": r.party("WH", head),
        "adjusted_on": r.date(w15, 1, needed=True),
    }
    for ordinal, group in numbered(lines):
        line = group[0]
        yield Line(
            "adjustment_lines",
            {
                **adjustment,
                "line_id": ordinal,
                "reason_code": r.code("reason_code", r.required(line, 1)),
                **r.quantity(line, 2, line.get(3)),
                **_item_or_upc(r, line, upc=4, first=5),
            },
            places(head, group),
        )


def read_214(r: Reading) -> Iterator[Line]:
    """Carrier's shipment status."""
    b10 = r.header("B10")
    head, stops = r.groups("LX")
    tracking = r.reference("CN 2I") or r.required(b10, 1)
    for _, stop in numbered(stops):
        place = r.first("MS1", stop)
        for group in _within(stop, "AT7", r):
            event = group[0]
            yield Line(
                "tracking_events",
                {
                    "tracking_number": tracking,
                    "shipment_number": b10.get(2),
                    "carrier": b10.get(3),
                    "status_code": r.code("status_code", event.get(1) or event.get(3)),
                    "reason_code": event.get(2) or event.get(4),
                    "occurred_at": _moment(r, event),
                    "place": _text(place, 1, 2, 3),
                },
                places(head, stop[:1], group),
            )


def read_180(r: Reading) -> Iterator[Line]:
    """Return merchandise authorisation and notification."""
    bgn = r.header("BGN")
    head, lines = r.groups("BLI", "CTT")
    order = r.first("PRF", head)
    reason = r.first("RDR", head)
    returned = {
        "return_number": r.reference("RZ RM", head) or r.required(bgn, 2),
        "purpose_code": r.code("purpose_code", r.required(bgn, 1)),
        "returned_on": r.date(bgn, 3),
        "order_number": (order.get(1) if order else None) or r.reference("CO PO", head),
    }
    for ordinal, group in numbered(lines):
        line = group[0]
        why = r.first("RDR", group) or reason
        yield Line(
            "return_lines",
            {
                **returned,
                "line_id": ordinal,
                "line_number": r.reference("LI", group),
                **r.quantity(line, 3, line.get(4)),
                **r.item_of(line, 1),
                "reason_code": why.get(2) or why.get(1) if why else None,
            },
            places(head, group),
        )


def read_997(r: Reading) -> Iterator[Line]:
    """Functional acknowledgement of one group, with what is said of each set in it."""
    ak1 = r.header("AK1")
    ak9 = r.header("AK9")
    sets: list[str] = []
    current = ""
    for placed in r.placed:
        if placed.tag == "AK2":
            current = f"{placed.get(1)}/{placed.get(2)}"
        elif placed.tag == "AK5":
            codes = [code for n in range(2, 7) if (code := placed.get(n))]
            sets.append(f"{current}={placed.get(1)}" + (f"({','.join(codes)})" if codes else ""))
    yield Line(
        "functional_acknowledgements",
        {
            "functional_id": r.required(ak1, 1),
            "group_number": r.required(ak1, 2),
            "status_code": r.required(ak9, 1),
            "included_count": r.number(ak9, 2),
            "received_count": r.number(ak9, 3),
            "accepted_count": r.number(ak9, 4),
            "set_statuses": " ".join(sets) or None,
        },
        places(r.placed),
    )


READERS: dict[str, Callable[[Reading], Iterator[Line]]] = {
    "180": read_180,
    "214": read_214,
    "810": read_810,
    "846": read_846,
    "850": read_850,
    "855": read_855,
    "856": read_856,
    "860": read_860,
    "865": read_865,
    "940": read_940,
    "943": read_943,
    "944": read_944,
    "945": read_945,
    "947": read_947,
    "997": read_997,
}


def _currency(r: Reading, head: Sequence[Placed]) -> str | None:
    told = r.first("CUR", head)
    return (told.get(2) if told else None) or r.profile.currency or None


def _with_pack(
    r: Reading, group: Sequence[Placed], amount: dict[str, str | None]
) -> dict[str, str | None]:
    """Where the unit is a pack of the item, PO4 may say how many are in one."""
    pack = r.first("PO4", group)
    if amount.get("uom") and amount["base_factor"] is None and pack and pack.get(1):
        return {**amount, "base_factor": r.number(pack, 1)}
    return amount


def _item_or_upc(r: Reading, line: Placed, upc: int, first: int) -> dict[str, str | None]:
    code = line.get(upc)
    if code and not line.get(first + 1):
        return {"item": code, "item_qualifier": "UP"}
    return r.item_of(line, first)


def _within(group: Sequence[Placed], tag: str, r: Reading) -> list[list[Placed]]:
    """The parts of a loop that begin with a tag."""
    parts: list[list[Placed]] = []
    for placed in group:
        if placed.tag == tag:
            parts.append([placed])
        elif parts:
            parts[-1].append(placed)
    if not parts:
        r.absent(tag, group[0])
    return parts


def _moment(r: Reading, event: Placed) -> str | None:
    """The time of an AT7 with its true offset; without a zone code as the partner's local time."""
    local = plain_moment(r.date(event, 5, needed=True), event.get(6))
    if local is None:
        return None
    code = event.get(7) or "LT"
    try:
        naive = datetime.fromisoformat(local)
    except ValueError:
        return local
    if code in _FIXED_ZONES:
        zone = timezone(timedelta(hours=_FIXED_ZONES[code]))
        return naive.replace(tzinfo=zone).isoformat()
    if code in _NAMED_ZONES:
        return naive.replace(tzinfo=ZoneInfo(_NAMED_ZONES[code])).isoformat()
    return naive.replace(tzinfo=r.local_zone).astimezone(UTC).isoformat()


def _text(placed: Placed | None, *elements: int) -> str | None:
    parts = [placed.get(element) for element in elements] if placed else []
    return ", ".join(part for part in parts if part) or None
