"""What each EDIFACT message says, as lines of the same entities: one function a message.

Segments are those of directory D.96A; later ones have them at the same places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from connectors.x12.reading import Line, Placed, Reading, numbered, places, plain_date, plain_moment

# DTM format qualifiers (data element 2379) that tell a day.
_DAY_FORMATS = {"101": 6, "102": 8, "203": 8, "204": 8}
# BGM 1225 (message function) in the words of X12 data element 353, which the seeds know.
_PURPOSES = {"1": "01", "4": "04", "5": "05", "7": "07", "9": "00", "27": "27", "29": "29"}


def read_orders(r: Reading) -> Iterator[Line]:
    """Purchase order."""
    bgm = r.header("BGM")
    head, lines = r.groups("LIN", "UNS")
    order = {
        "po_number": r.required(bgm, 2),
        "purpose_code": _purpose(r, bgm),
        "currency": _currency(r, head),
    }
    requested = _day(r, head, "2 10 69")
    yield Line(
        "purchase_orders",
        {
            **order,
            "order_type": bgm.get(1),
            "change_number": None,
            "ordered_on": _day(r, head, "137 4"),
            "requested_on": requested,
            "ship_to": _party(r, head, "DP CN"),
        },
        places(head),
    )
    for ordinal, group in numbered(lines):
        yield Line(
            "purchase_order_lines",
            {
                **order,
                "line_number": group[0].get(1) or ordinal,
                "change_code": None,
                **_quantity(r, group, "21"),
                "unit_price": _price(r, group),
                **_item(r, group),
                "requested_on": _day(r, group, "2 10 69") or requested,
            },
            places(head, group),
        )


def read_ordrsp(r: Reading) -> Iterator[Line]:
    """Purchase order response; the answer to a line is LIN 1229, to the order BGM 1225."""
    bgm = r.header("BGM")
    head, lines = r.groups("LIN", "UNS") if r.first("LIN") or bgm.get(3) != "27" else (r.placed, [])
    order = {
        "po_number": _reference(head, "ON") or r.required(bgm, 2),
        "purpose_code": "00" if bgm.get(3) in ("27", "29") else _purpose(r, bgm),
        "seller_order": bgm.get(2),
    }
    whole = f"BGM{bgm.get(3) or ''}"
    yield Line(
        "acknowledgements",
        {
            **order,
            "status_code": r.code("status_code", whole),
            "acknowledged_on": _day(r, head, "137"),
        },
        places(head),
    )
    for ordinal, group in numbered(lines):
        first = group[0]
        action = first.get(2)
        yield Line(
            "acknowledgement_lines",
            {
                **order,
                "line_number": _reference(group, "ON", part=2) or first.get(1) or ordinal,
                "part": "1",
                "status_code": r.code("status_code", f"LIN{action}" if action else whole),
                "ordered_quantity": _number(r, group, "21"),
                **_quantity(r, group, "113 83 21" if not _number(r, group, "113") else "113"),
                "unit_price": _price(r, group),
                "currency": _currency(r, head),
                **_item(r, group),
                "promised_on": _day(r, group, "67 69 2 17"),
            },
            places(head, group),
        )


def read_desadv(r: Reading) -> Iterator[Line]:
    """Despatch advice: packages (CPS) with the lines in them."""
    bgm = r.header("BGM")
    head, lines = r.groups("LIN", "UNS CNT")
    shipment = {
        "shipment_number": r.required(bgm, 2),
        "purpose_code": _purpose(r, bgm),
        "tracking_number": _reference(head, "CN AAS"),
        "bill_of_lading": _reference(head, "BM"),
        "shipped_on": _day(r, head, "11 171"),
        "expected_on": _day(r, head, "17 132 191"),
        "ship_to": _party(r, head, "DP CN"),
        "carrier": _party(r, head, "CA"),
    }
    package: str | None = None
    for placed in head:
        if placed.tag == "GIN" and placed.get(1) == "BJ":
            package = placed.get(2)
    for ordinal, group in numbered(lines):
        own = [placed for placed in group if placed.tag not in ("CPS", "PAC", "PCI", "GIN")]
        yield Line(
            "shipment_notice_lines",
            {
                **shipment,
                "line_id": ordinal,
                "po_number": _reference(own, "ON") or _reference(head, "ON"),
                "line_number": _reference(own, "ON", part=2) or group[0].get(1),
                **_quantity(r, own, "12"),
                "ordered_quantity": _number(r, own, "21"),
                **_item(r, own),
                "package_number": package,
            },
            places(head, group),
        )
        # The next package is opened behind the lines of the one before.
        for placed in group:
            if placed.tag == "GIN" and placed.get(1) == "BJ":
                package = placed.get(2)


def read_invoic(r: Reading) -> Iterator[Line]:
    """Invoice (BGM 380) or credit note (BGM 381)."""
    bgm = r.header("BGM")
    head, lines = r.groups("LIN", "UNS")
    invoice = {
        "invoice_number": r.required(bgm, 2),
        "invoice_type": r.code("invoice_type", r.required(bgm, 1)),
        "invoiced_on": _day(r, head, "137 3", needed=True),
        "po_number": _reference(head, "ON"),
        "currency": _currency(r, head),
        "invoice_total": _amount(r, "77 9 39"),
    }
    for ordinal, group in numbered(lines):
        yield Line(
            "invoice_lines",
            {
                **invoice,
                "po_number": _reference(group, "ON") or invoice["po_number"],
                "line_id": ordinal,
                "line_number": _reference(group, "ON", part=2) or group[0].get(1) or ordinal,
                **_quantity(r, group, "47"),
                "unit_price": _price(r, group),
                **_item(r, group),
            },
            places(head, group),
        )


def read_invrpt(r: Reading) -> Iterator[Line]:
    """Inventory report; a quantity's kind is its qualifier (6063)."""
    bgm = r.header("BGM")
    head, lines = r.groups("LIN", "UNS")
    day, clock = _when(r, head, "366 137 194")
    place = _location(r, head)
    for _, group in numbered(lines):
        where = _location(r, group) or place
        own_day, own_clock = _when(r, group, "366 194")
        for placed in group:
            if placed.tag != "QTY":
                continue
            qualifier = r.required(placed, 1)
            yield Line(
                "inventory",
                {
                    "advice_number": bgm.get(2),
                    "location": where,
                    "quantity_qualifier": qualifier,
                    "state": r.profile.codes.get("quantity_qualifier", {}).get(qualifier or ""),
                    **r.quantity(placed, 1, placed.get(1, 3) or "PCE", component=2),
                    **_item(r, group),
                    "as_of": plain_moment(own_day or day, own_clock or clock),
                },
                places(head, group),
            )


def read_contrl(r: Reading) -> Iterator[Line]:
    """Syntax and service report on one interchange (UCI) and its messages (UCM)."""
    uci = r.header("UCI")
    messages = [
        f"{placed.get(2)}/{placed.get(1)}={placed.get(3)}"
        for placed in r.placed
        if placed.tag == "UCM"
    ]
    yield Line(
        "functional_acknowledgements",
        {
            "functional_id": "EDIFACT",
            "group_number": r.required(uci, 1),
            "status_code": f"UCI{r.required(uci, 4) or ''}",
            "included_count": None,
            "received_count": None,
            "accepted_count": None,
            "set_statuses": " ".join(messages) or None,
        },
        places(r.placed),
    )


READERS: dict[str, Callable[[Reading], Iterator[Line]]] = {
    "CONTRL": read_contrl,
    "DESADV": read_desadv,
    "INVOIC": read_invoic,
    "INVRPT": read_invrpt,
    "ORDERS": read_orders,
    "ORDRSP": read_ordrsp,
}


def _purpose(r: Reading, bgm: Placed) -> str | None:
    told = bgm.get(3) or "9"
    return r.code("purpose_code", _PURPOSES.get(told, told))


def _when(r: Reading, among: Sequence[Placed], qualifiers: str) -> tuple[str | None, str | None]:
    """Day and clock of the first DTM with one of the qualifiers."""
    for qualifier in qualifiers.split():
        for placed in among:
            if placed.tag == "DTM" and placed.get(1) == qualifier:
                length = _DAY_FORMATS.get(placed.get(1, 3) or "102", 0)
                text = placed.get(1, 2) or ""
                day = plain_date(text[:length])
                if day is None:
                    r.invalid_date(placed, text)
                return day or text, text[length:] or None
    return None, None


def _day(r: Reading, among: Sequence[Placed], qualifiers: str, needed: bool = False) -> str | None:
    day, _ = _when(r, among, qualifiers)
    if day is None and needed:
        r.absent(f"DTM+{qualifiers.split()[0]}", among[0] if among else None)
    return day


def _reference(among: Sequence[Placed], qualifiers: str, part: int = 1) -> str | None:
    """The number of an RFF (part 1), or the line in it (part 2)."""
    for placed in among:
        if placed.tag == "RFF" and placed.get(1) in qualifiers.split():
            return placed.get(1, part + 1)
    return None


def _party(r: Reading, among: Sequence[Placed], codes: str) -> str | None:
    for placed in among:
        if placed.tag == "NAD" and placed.get(1) in codes.split():
            return r.code("location", placed.get(2))
    return None


def _location(r: Reading, among: Sequence[Placed]) -> str | None:
    for placed in among:
        if placed.tag == "LOC":
            return r.code("location", placed.get(2))
    return _party(r, among, "WH GY")


def _currency(r: Reading, head: Sequence[Placed]) -> str | None:
    for placed in head:
        if placed.tag == "CUX" and placed.get(1, 2):
            return placed.get(1, 2)
    return r.profile.currency or None


def _told_quantity(group: Sequence[Placed], qualifiers: str) -> Placed | None:
    for qualifier in qualifiers.split():
        for placed in group:
            if placed.tag == "QTY" and placed.get(1) == qualifier:
                return placed
    return None


def _quantity(r: Reading, group: Sequence[Placed], qualifiers: str) -> dict[str, str | None]:
    told = _told_quantity(group, qualifiers)
    if told is None:
        r.absent(f"QTY+{qualifiers.split()[0]}", group[0])
        return {"quantity": None, "uom_source": None, "uom": None, "base_factor": None}
    return r.quantity(told, 1, told.get(1, 3) or "PCE", component=2)


def _number(r: Reading, group: Sequence[Placed], qualifier: str) -> str | None:
    told = _told_quantity(group, qualifier)
    return r.number(told, 1, 2) if told else None


def _price(r: Reading, group: Sequence[Placed]) -> str | None:
    for placed in group:
        if placed.tag == "PRI" and placed.get(1) in ("AAA", "AAB", "INV"):
            return r.number(placed, 1, 2)
    return None


def _amount(r: Reading, qualifiers: str) -> str | None:
    for qualifier in qualifiers.split():
        for placed in r.placed:
            if placed.tag == "MOA" and placed.get(1) == qualifier:
                return r.number(placed, 1, 2)
    return None


def _item(r: Reading, group: Sequence[Placed]) -> dict[str, str | None]:
    """Identities of LIN (C212) and of PIA, whose qualifiers are those of data element 7143."""
    pairs: dict[str, str] = {}
    for placed in group:
        first = {"LIN": 3, "PIA": 2}.get(placed.tag)
        for element in range(first or 0, len(placed.segment.elements) + 1) if first else ():
            value, qualifier = placed.get(element), placed.get(element, 2)
            if value and qualifier:
                pairs.setdefault(qualifier, value)
    if not pairs:
        r.absent("LIN or PIA with an item", group[0])
    return r.item(pairs)
