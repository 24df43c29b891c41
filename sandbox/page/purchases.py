"""A purchase order, side by side: what happened, and what ERP, warehouse and supplier hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from sandbox.catalogue import THIRD_PARTY, erp_system
from sandbox.distributor import Distributor
from sandbox.events import Event
from sandbox.page.beliefs import figure, wms_moment
from sandbox.page.cells import (
    AGREES,
    COMING,
    MISSING,
    Entry,
    Grid,
    Row,
    absent,
    dated,
    from_local,
    happened,
    valued,
)
from sandbox.page.happened import by_column
from sandbox.tables import Document
from sandbox.truth import GRACE_SECONDS
from sandbox.views.partners import PartnersView

COLUMNS = ("truth", "erp", "suppliers", "wms")

Segment = list[str]

_TOLERANCE = Decimal("0.02")
"""So much more than was ordered an invoice may say, as a share."""

_FILES = {"850": "order", "855": "answer", "856": "notice", "810": "invoice"}


@dataclass(frozen=True)
class Purchase:
    """One purchase order. ``events``: of it and of the goods that came for it, up to ``now``.

    ``files``: the segments of each X12 file by the code of its set, oldest first.
    """

    number: str
    now: float
    events: list[Event]
    order: Document | None
    notices: list[Document]
    files: dict[str, list[list[Segment]]]

    def all(self, kind: str) -> list[Event]:
        """What happened of one kind."""
        return [event for event in self.events if event.kind == kind]

    def first(self, kind: str) -> Event | None:
        """The first of it."""
        return next(iter(self.all(kind)), None)


def purchase_of(distributor: Distributor, number: str, now: float) -> Purchase | None:
    """A purchase order with all that belongs to it; None when nobody ordered it."""
    events = [by_column(event) for event in distributor.store.events_of(number)]
    if not any(event.kind == "purchase_ordered" for event in events):
        return None
    erp = distributor.views[erp_system(events[0].data["location"])].tables
    receipts = erp["goods_receipts"].by("po_no", number)
    notices = distributor.wms.tables["receipts"].by("HostPo", number)
    refs = [receipt["rcpt_no"] for receipt in receipts]
    refs += [line["Ref"] for notice in notices for line in notice["Lines"] if line["Ref"]]
    refs += [
        event.subject
        for _, event in distributor.store.events_after(0, ("stock_received",))
        if event.data.get("purchase") == number
    ]
    for ref in dict.fromkeys(refs):
        events += [
            by_column(event)
            for event in distributor.store.events_of(ref)
            if event.kind == "stock_received"
        ]
    orders = erp["purchase_orders"]
    suppliers = distributor.views.get("suppliers")
    return Purchase(
        number,
        now,
        sorted((event for event in events if event.at <= now), key=lambda event: event.at),
        orders.edit(number) if number in orders else None,
        notices,
        {code: list(_sets(suppliers, f"{code} {number}")) for code in (*_FILES, "997")},
    )


def purchase_grids(found: Purchase) -> list[Grid]:
    """Its steps, then each line."""
    grids = [Grid("Steps", _steps(found), columns=COLUMNS)]
    ordered = found.first("purchase_ordered")
    for line in ordered.data["lines"] if ordered else ():
        rows = list(_line(found, line))
        grids.append(Grid(f"Line {line['line']}", rows, "eaches", columns=COLUMNS))
    return grids


def _sets(view: object, about: str) -> Iterator[list[Segment]]:
    if not isinstance(view, PartnersView):
        return
    for path in view.interchanges.ids_by("about", about):
        document = json.loads(view.interchanges.text(path))
        yield [row.split("*") for row in document["text"].replace("\n", "").split("~") if row]


def _written(segments: list[Segment]) -> float:
    group = next(row for row in segments if row[0] == "GS")
    moment = datetime.strptime(group[4] + group[5], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return moment.timestamp()


def _steps(found: Purchase) -> list[Row]:
    now, order = found.now, found.order
    rows = []
    for name, kind, field, code in (
        ("Ordered", "purchase_ordered", "ordered", "850"),
        ("Arrived at the supplier's translator", "purchase_arrived", None, "997"),
        ("Answered", "purchase_acknowledged", "acked", "855"),
        ("Announced", "shipment_announced", None, "856"),
        ("Billed", "supplier_invoiced", None, "810"),
    ):
        events, files = found.all(kind), found.files[code]
        row = Row(name)
        for event in events:
            row.add("truth", happened(event.at))
        if not events:
            row.add("truth", Entry("not yet"))
        true = [event.at for event in events]
        for place, segments in enumerate(files):
            known = true[place] if place < len(true) else None
            row.add("suppliers", dated(_written(segments), known, now, code))
        if len(files) < len(events):
            row.add("suppliers", absent(events[-1].seen.get("suppliers"), now, f"no {code}"))
        if field and order and order[field]:
            told = from_local(order[field], true[0] if true else None)
            row.add("erp", dated(told, true[0] if true else None, now))
        elif field and events:
            row.add("erp", absent(events[0].seen.get("erp"), now))
        if kind == "shipment_announced":
            _announced(row, found, events)
            promised = found.all("purchase_acknowledged")
            due = max((event.data["promised_at"] for event in promised), default=now)
            if not events and now > due + GRACE_SECONDS["P09"]:
                row.add("suppliers", Entry("promised, not announced", MISSING))
        if kind == "purchase_acknowledged" and not events:
            _overdue(row, found)
        rows.append(row)
    return rows


def _announced(row: Row, found: Purchase, events: list[Event]) -> None:
    by_notice = {event.data["notice"]: event for event in events}
    for notice in found.notices:
        event = by_notice.get(notice["RcptNbr"])
        told = wms_moment(notice["AnnouncedMs"])
        row.add("wms", dated(told, event.at if event else None, found.now, notice["RcptNbr"]))
    known = {notice["RcptNbr"] for notice in found.notices}
    for name, event in by_notice.items():
        if name not in known and event.data["location"] not in (THIRD_PARTY, None):
            row.add("wms", absent(event.seen.get("wms"), found.now))


def _overdue(row: Row, found: Purchase) -> None:
    ordered = found.first("purchase_ordered")
    if ordered and found.now - ordered.at > GRACE_SECONDS["P01"]:
        row.add("suppliers", Entry("no answer", MISSING))
    else:
        row.add("suppliers", Entry("due", COMING))


def _line(found: Purchase, line: dict[str, int]) -> Iterator[Row]:
    number, wanted = line["line"], str(line["qty"])
    held = next(
        (row for row in (found.order or {"lines": []})["lines"] if row["pos"] == number * 10), None
    )
    row = Row("Ordered")
    row.add("truth", Entry(wanted))
    if held:
        row.add("erp", valued(figure(held["ord_qty"]), wanted))
    _add_file(row, found, "850", number, wanted)
    yield row
    if found.all("purchase_acknowledged"):
        row = Row("Answered")
        row.add("truth", Entry(wanted, note="as ordered"))
        if held and held["ack_qty"] is not None:
            row.add("erp", valued(figure(held["ack_qty"]), wanted))
        _add_file(row, found, "855", number, wanted)
        yield row
    came = Counter[int]()
    for event in found.all("stock_received"):
        came[event.data["line"]] += event.data["qty"]
    if "for" in line:
        # What goes straight to a customer is never received.
        for event in found.all("shipment_announced"):
            came.update({one["line"]: one["qty"] for one in event.data["lines"]})
    true = str(came[number])
    if found.all("shipment_announced") and "for" in line:
        row = Row("Shipped to the customer")
        row.add("truth", Entry(true))
        _add_file(row, found, "856", number, true)
        yield row
    elif found.all("shipment_announced"):
        row = Row("Announced and received")
        row.add("truth", Entry(true, note="received"))
        on_road = any(
            found.now - event.at < GRACE_SECONDS["P03R"]
            for event in found.all("shipment_announced")
        )
        _add_file(row, found, "856", number, true, on_road)
        told = [one for notice in found.notices for one in notice["Lines"]]
        mine = [one for one in told if one["HostLine"] == number * 10]
        if mine:
            row.add("wms", valued(str(sum(one["RcvQty"] for one in mine)), true, note="received"))
        if held:
            row.add("erp", valued(figure(held["rcv_qty"]), true, note="received"))
        yield row
    if found.all("supplier_invoiced"):
        row = Row("Billed")
        row.add("truth", Entry(true, note="as shipped" if "for" in line else "as received"))
        if held:
            row.add("erp", valued(figure(held["inv_qty"]), true))
        _add_file(row, found, "810", number, true)
        yield row
    row = Row("Unit price")
    cost = _money(line["cost"])
    row.add("truth", Entry(cost, note="as ordered"))
    if held:
        row.add("erp", valued(f"{Decimal(held['prc']):.2f}", cost))
    for code in ("855", "810"):
        for price in _prices(found, code, number):
            entry = valued(price, cost, note=_FILES[code])
            if code == "810" and 0 < Decimal(price) - Decimal(cost) <= Decimal(cost) * _TOLERANCE:
                entry = Entry(price, AGREES, "within what is paid without asking")
            row.add("suppliers", entry)
    yield row


def _add_file(
    row: Row, found: Purchase, code: str, number: int, true: str, coming: bool = False
) -> None:
    """What the supplier's files of one set say of a line, together."""
    figures = [qty for segments in found.files[code] for qty in _quantities(segments, number)]
    if figures:
        row.add("suppliers", valued(str(sum(figures)), true, coming, f"{_FILES[code]}, {code}"))


_DETAILS = {"PO1": 2, "IT1": 2, "SN1": 2}
"""Where the quantity stands in the segments of a line; its number stands before it."""


def _quantities(segments: list[Segment], number: int) -> list[int]:
    return [
        int(row[_DETAILS[row[0]]])
        for row in segments
        if row[0] in _DETAILS and row[1] == str(number)
    ]


def _prices(found: Purchase, code: str, number: int) -> list[str]:
    told = [
        row[4]
        for segments in found.files[code]
        for row in segments
        if row[0] in ("PO1", "IT1") and row[1] == str(number)
    ]
    return list(dict.fromkeys(told))


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
