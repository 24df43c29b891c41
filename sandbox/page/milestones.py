"""The steps of an order and of its parcels: when they happened, and how systems date them."""

from __future__ import annotations

from sandbox.clock import parse_iso
from sandbox.page.beliefs import Beliefs, wms_moment
from sandbox.page.cells import (
    AGREES,
    COMING,
    DIFFERS,
    EXTRA,
    MISSING,
    PLAIN,
    Entry,
    Row,
    absent,
    dated,
    from_local,
    happened,
    joined,
)
from sandbox.page.happened import OrderTruth, Parcel
from sandbox.tables import Document
from sandbox.truth import GRACE_SECONDS
from sandbox.views.erp import CANCELLED

SCAN_CODES = {
    "OC": "label",
    "PU": "picked up",
    "DP": "departed",
    "AR": "arrived",
    "OD": "out for delivery",
    "DL": "delivered",
    "EX": "exception",
}
NOT_YET = Entry("not yet")
NEVER = Entry("never happened")


def order_steps(truth: OrderTruth, held: Beliefs) -> list[Row]:
    """From placing to packing."""
    now = truth.now
    rows = []
    placed, accepted, released = map(
        truth.first, ("order_placed", "order_accepted", "order_released")
    )
    if placed is not None:
        row = Row("Placed")
        row.add("truth", happened(placed.at))
        if truth.is_in_oms:
            row.add("oms", _oms_time(held, "placedAt", placed.at, now) or absent(None, now))
        rows.append(row)
    if accepted is not None or held.erp_orders:
        row = Row("Accepted")
        row.add("truth", happened(accepted.at) if accepted else NOT_YET)
        said = _oms_time(held, "acceptedAt", accepted.at if accepted else None, now)
        if truth.is_in_oms and (said or accepted):
            row.add("oms", said or absent(accepted.seen.get("oms") if accepted else None, now))
        row.add("erp", *_bookings(truth, held))
        rows.append(row)
    if released is not None or held.wms_orders or (held.erp and held.erp["released"]):
        row = Row("Released")
        row.add("truth", happened(released.at) if released else NOT_YET)
        true = released.at if released else None
        if held.erp and held.erp["released"]:
            row.add("erp", dated(from_local(held.erp["released"], true), true, now))
        elif released and not truth.all_cancelled:
            row.add("erp", absent(released.seen.get("erp"), now, "not released"))
        for order in held.wms_orders:
            row.add("wms", dated(wms_moment(order["CreatedMs"]), true, now, order["OrderNbr"]))
        if released and not held.wms_orders and not truth.all_cancelled:
            row.add("wms", absent(released.seen.get("wms"), now))
        rows.append(row)
    elif (
        accepted
        and not (truth.all_cancelled or truth.all_bought)
        and now - accepted.at > GRACE_SECONDS["O09R"]
    ):
        row = Row("Released")
        row.add("truth", NOT_YET)
        row.add("erp", Entry("still waits", MISSING))
        rows.append(row)
    for name, kind, field in (
        ("Picked", "order_picked", "PickedMs"),
        ("Packed", "order_packed", "PackedMs"),
    ):
        step, said_ms = truth.first(kind), held.wms[field] if held.wms else None
        if step is None and said_ms is None:
            continue
        row = Row(name)
        row.add("truth", happened(step.at) if step else NOT_YET)
        if said_ms is not None:
            row.add("wms", dated(wms_moment(said_ms), step.at if step else None, now))
        elif step is not None and step.seen:
            # A third party tells nobody of such steps.
            row.add("wms", absent(step.seen.get("wms"), now))
        rows.append(row)
    for label in truth.labels_only:
        row = Row("Left the warehouse")
        row.add("truth", NOT_YET)
        overdue = now - label.at > GRACE_SECONDS["S04L"]
        row.add("carrier", Entry("label only", MISSING if overdue else COMING))
        rows.append(row)
    return rows


def parcel_steps(truth: OrderTruth, held: Beliefs) -> list[tuple[str, list[Row]]]:
    """Shipped, delivered, invoiced and the scans of every parcel that anyone speaks of."""
    spoken = dict.fromkeys(
        [
            *truth.parcels,
            *(shipment["ShipNbr"] for shipment in held.shipments),
            *(document["ship_ref"] for document in held.fulfilments),
            *(document["ship_ref"] for document in held.invoices),
        ]
    )
    found = []
    for name in spoken:
        parcel = truth.parcels.get(name)
        documents = [row for row in held.shipments if row["ShipNbr"] == name]
        tracking = parcel.tracking if parcel else next((d["TrackingNbr"] for d in documents), None)
        scans = held.scans.get(tracking, []) if tracking else []
        rows = [
            _shipped(name, parcel, documents, scans, truth, held),
            _delivered(parcel, scans, truth, held),
            _invoiced(name, parcel, truth, held),
            _scans(parcel, scans),
        ]
        title = f"Parcel {name}" + (f" · {tracking}" if tracking else "")
        found.append((title, [row for row in rows if row is not None]))
    return found


def _oms_time(held: Beliefs, field: str, true: float | None, now: float) -> Entry | None:
    value = held.oms[field] if held.oms else None
    return None if value is None else dated(parse_iso(value), true, now)


def _bookings(truth: OrderTruth, held: Beliefs) -> list[Entry]:
    """The ERP's orders for this one: exactly one should stand."""
    accepted = truth.first("order_accepted")
    true = accepted.at if accepted else None
    if not held.erp_orders:
        if accepted is None or truth.all_cancelled:
            return []
        return [absent(accepted.seen.get("erp"), truth.now, "has no such order")]
    entries = []
    for order in held.erp_orders:
        entry = dated(from_local(order["entered"], true), true, truth.now, order["doc_no"])
        if order["held"] and not order["validated"]:
            # What is on hold is entered and not booked.
            look, note = (DIFFERS, "never checked") if order["booked"] else (PLAIN, "waits")
            told = joined(order["doc_no"], f"credit hold: {note}")
            entry = Entry(entry.text, look, told, entry.at)
        if order["stat"] == CANCELLED and not truth.all_cancelled:
            entry = Entry(entry.text, PLAIN, joined(order["doc_no"], "cancelled"), entry.at)
            if order is held.erp and not truth.cancelled:
                entry = Entry(entry.text, DIFFERS, entry.note, entry.at)
        elif order is not held.erp and order["stat"] != CANCELLED:
            entry = Entry(
                entry.text, EXTRA, joined(order["doc_no"], "booked once too often"), entry.at
            )
        entries.append(entry)
    return entries


def _shipped(
    name: str,
    parcel: Parcel | None,
    documents: list[Document],
    scans: list[Document],
    truth: OrderTruth,
    held: Beliefs,
) -> Row:
    now, true = truth.now, parcel.at if parcel else None
    row = Row("Left the warehouse")
    by_supplier = "shipped by its supplier" if parcel and parcel.location is None else ""
    row.add("truth", happened(parcel.at, note=by_supplier) if parcel else NEVER)
    for document in documents:
        row.add("wms", dated(wms_moment(document["ShippedMs"]), true, now))
    postings = [doc for doc in held.fulfilments if doc["ship_ref"] == name]
    row.add("erp", *_postings(postings, "ful_no", true, now, "fulfilled once too often"))
    if parcel is None:
        return row
    if not documents and parcel.location is not None:
        row.add("wms", absent(parcel.seen.get("wms"), now))
    if not any(doc["stat"] == "P" for doc in postings):
        row.add("erp", absent(parcel.seen.get("erp"), now, "not fulfilled"))
    statuses = _oms_lines(held, parcel.complete)
    behind = [line for line in statuses.values() if line["status"] in ("PLACED", "ACCEPTED")]
    if behind:
        row.add("oms", absent(parcel.seen.get("oms"), now, behind[0]["status"].lower()))
    elif statuses:
        said = sorted({line["status"].lower() for line in statuses.values()})
        row.add("oms", Entry(", ".join(said), AGREES))
    moved = [scan for scan in scans if scan["code"] != "OC"]
    if moved:
        row.add("carrier", dated(parse_iso(moved[0]["timestamp"]), true, now, moved[0]["code"]))
    elif now - parcel.at > GRACE_SECONDS["S04"]:
        row.add("carrier", Entry("label only" if scans else "never scanned", MISSING))
    else:
        row.add("carrier", Entry("not scanned yet", COMING))
    return row


def _postings(
    documents: list[Document], number: str, true: float | None, now: float, twice: str
) -> list[Entry]:
    """Fulfilments or invoices of one parcel: one should stand, when it left."""
    entries, standing = [], 0
    for document in documents:
        entry = _posted(document["posted"], true, now, document[number])
        if document["stat"] != "P":
            entry = Entry(entry.text, PLAIN, joined(document[number], "taken back"), entry.at)
        else:
            standing += 1
            if standing > 1:
                entry = Entry(entry.text, EXTRA, joined(document[number], twice), entry.at)
        entries.append(entry)
    return entries


def _posted(text: str, true: float | None, now: float, note: str) -> Entry:
    """When the ERP posted a document; a date in another form is shown as it stands there."""
    try:
        return dated(from_local(text, true), true, now, note)
    except ValueError:
        return Entry(text, DIFFERS, note)


def _delivered(
    parcel: Parcel | None, scans: list[Document], truth: OrderTruth, held: Beliefs
) -> Row | None:
    delivery = parcel.delivery if parcel else None
    scanned = [scan for scan in scans if scan["code"] == "DL"]
    lines = _oms_lines(held, parcel.complete) if parcel else {}
    told = {line["deliveredAt"] for line in lines.values() if line["deliveredAt"]}
    if parcel is None or not (delivery or scanned or told):
        return None
    now, true = truth.now, delivery.at if delivery else None
    row = Row("Delivered")
    row.add("truth", happened(delivery.at) if delivery else NOT_YET)
    for scan in scanned:
        row.add("carrier", dated(parse_iso(scan["timestamp"]), true, now))
    for moment in sorted(told):
        row.add("oms", dated(parse_iso(moment), true, now))
    if delivery is None:
        return row
    if not scanned:
        row.add("carrier", absent(delivery.seen.get("carrier"), now))
    waiting = [
        line for line in lines.values() if not line["deliveredAt"] and line["status"] != "CANCELLED"
    ]
    if waiting:
        row.add("oms", absent(delivery.seen.get("oms"), now, waiting[0]["status"].lower()))
    return row


def _invoiced(name: str, parcel: Parcel | None, truth: OrderTruth, held: Beliefs) -> Row | None:
    documents = [doc for doc in held.invoices if doc["ship_ref"] == name]
    if parcel is None and not documents:
        return None
    now, true = truth.now, parcel.at if parcel else None
    row = Row("Invoiced")
    row.add("truth", Entry("owed since it left") if parcel else Entry("nothing to bill"))
    entries = _postings(documents, "inv_no", true, now, "billed once too often")
    for document, entry in zip(documents, entries, strict=True):
        amount = f"{document['amt']} {document['curr']}"
        row.add("erp", Entry(entry.text, entry.state, joined(entry.note, amount), entry.at))
    if parcel and not any(document["stat"] == "P" for document in documents):
        overdue = now - parcel.at > GRACE_SECONDS["F01"]
        row.add("erp", Entry("not invoiced", MISSING) if overdue else Entry("due soon", COMING))
    return row


def _scans(parcel: Parcel | None, scans: list[Document]) -> Row | None:
    """All scans, in the order in which the carrier reported them."""
    if not scans:
        return None
    row = Row("Scans")
    if parcel is not None:
        row.add("truth", Entry(" → ".join(str(scan.data["code"]) for scan in parcel.scans)))
    row.add("carrier", Entry(" → ".join(scan["code"] for scan in scans)))
    for code in dict.fromkeys(scan["code"] for scan in scans):
        if code not in SCAN_CODES:
            row.add("carrier", Entry(code, DIFFERS, "a code that nobody knows"))
    return row


def _oms_lines(held: Beliefs, numbers: frozenset[int]) -> dict[int, Document]:
    lines = held.oms["lines"] if held.oms else []
    return {line["lineNo"]: line for line in lines if line["lineNo"] in numbers}
