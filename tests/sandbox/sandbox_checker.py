"""An independent reading of the rules over what the systems serve; knows nothing of the generator.

``violations`` names every (rule, object) that does not hold, late ones included: B must have been
recorded within the rule's grace of A even if it is there by now.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sandbox_reader import Reader, Row

NEW_YORK = ZoneInfo("America/New_York")
WMS_FAST = 150.0
CANON = {"E1": "EAST", "W1": "WEST"}
MINUTES = 60.0
HOURS = 3600.0
# A time stamp cut to whole seconds may seem to be earlier than it was.
ROUNDING = 1.0

Violations = set[tuple[str, str]]


def utc(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def local(text: str) -> tuple[float, float]:
    """Both readings of a New York wall clock time; equal but for one hour a year."""
    naive = datetime.strptime(text, "%Y-%m-%d %H:%M:%S")
    first, second = (naive.replace(tzinfo=NEW_YORK, fold=fold).timestamp() for fold in (0, 1))
    return first, second


def wms_time(milliseconds: int) -> float:
    return milliseconds / 1000 - WMS_FAST


def in_time(since: float, recorded: Iterable[float], grace: float) -> bool:
    """Whether a reading of a time lies within the grace, and not before what it answers."""
    return any(since - ROUNDING <= moment <= since + grace for moment in recorded)


@dataclass
class Books:
    """Everything that the systems tell, read once."""

    oms_orders: list[Row]
    products: list[Row]
    erp_orders: list[Row]
    fulfilments: list[Row]
    invoices: list[Row]
    movements: list[Row]
    stock: list[Row]
    erp_items: list[Row]
    wms_orders: list[Row]
    shipments: list[Row]
    transactions: list[Row]
    wms_items: list[Row]
    inventory: list[Row]
    scans: list[Row]


def latest(rows: list[Row], key: str) -> list[Row]:
    """The newest version of each: an old one may come last."""
    return list({row[key]: row for row in sorted(rows, key=lambda row: row["Version"])}.values())


def read_books(reader: Reader) -> Books:
    return Books(
        oms_orders=reader.oms_all("orders"),
        products=reader.oms_all("products"),
        erp_orders=reader.erp_all("sales_orders"),
        fulfilments=reader.erp_all("fulfilments"),
        invoices=reader.erp_all("invoices"),
        movements=reader.erp_all("stock_movements"),
        stock=reader.erp_all("stock"),
        erp_items=reader.erp_all("items"),
        wms_orders=latest(reader.wms_feed("orders"), "OrderNbr"),
        shipments=latest(reader.wms_feed("shipments"), "ShipNbr"),
        transactions=reader.wms_feed("transactions"),
        wms_items=latest(reader.wms_feed("items"), "Sku"),
        inventory=reader.wms_inventory(),
        scans=reader.scans(),
    )


def violations(books: Books, entered_late_from: float = float("inf")) -> Violations:
    """``entered_late_from``: documents changed since then may carry older dates than that."""
    found = _orders(books) | _shipments(books, entered_late_from) | _stock(books) | _items(books)
    found |= _quantities(books) | _codes(books) | _sequences(books) | _unfinished(books)
    return found | _identities(books) | _promises(books) | _accounts(books)


def _orders(books: Books) -> Violations:
    found: Violations = set()
    documents = defaultdict(list)
    for document in books.erp_orders:
        documents[document["ext_ref"]].append(document)
    for same in documents.values():
        for later in sorted(same, key=lambda row: row["doc_no"])[1:]:
            if later["stat"] != 90:
                found.add(("O03", later["doc_no"]))
    shipped_docs = {row["HostOrder"] for row in books.shipments}
    host_lines = {
        (order["HostOrder"], line["HostLine"]): order
        for order in books.wms_orders
        for line in order["Lines"]
    }
    for order in books.oms_orders:
        held = documents.get(order["orderNumber"], [])
        # Of two documents the cancelled one is a double taken back: no line of the order is.
        standing = [row for row in held if row["stat"] != 90] or held
        for line in order["lines"]:
            name = f"{order['orderNumber']}/{line['lineNo']}"
            cancelled = line["cancelledAt"] and utc(line["cancelledAt"])
            if order["acceptedAt"] is not None:
                accepted = utc(order["acceptedAt"])
                captured = [moment for row in held for moment in local(row["entered"])]
                gone = cancelled is not None and cancelled <= accepted + 30 * MINUTES
                if not in_time(accepted, captured, 30 * MINUTES) and not gone:
                    found.add(("O02", name))
            for document in standing:
                twin = next(row for row in document["lines"] if row["ext_line"] == line["lineNo"])
                if cancelled is None and twin["cancelled"] is None:
                    same_qty = Decimal(twin["ord_qty"]) == line["qty"]
                    if not same_qty or Decimal(twin["prc"]) != Decimal(line["unitPrice"]):
                        found.add(("O04", name))
                if document["doc_no"] in shipped_docs or ("O03", document["doc_no"]) in found:
                    continue
                picking = host_lines.get((document["doc_no"], line["lineNo"] * 10))
                if cancelled is not None and picking is not None:
                    since = max(cancelled, wms_time(picking["CreatedMs"]))
                    freed = wms_time(picking["UpdatedMs"])
                    if picking["Status"] != "CANCELED" or not in_time(since, [freed], 2 * HOURS):
                        found.add(("I03C", name))
                if cancelled is not None:
                    told = local(twin["cancelled"]) if twin["cancelled"] else ()
                    # It may have been entered later than the time that it was given.
                    entered = max(cancelled, utc(order["updatedAt"]))
                    if not any(cancelled <= at <= entered + 30 * MINUTES for at in told):
                        found.add(("O05", name))
                elif twin["cancelled"] is not None:
                    found.add(("O05", name))
    for document in books.erp_orders:
        if document["released"] is None:
            continue
        for line in document["lines"]:
            order = host_lines.get((document["doc_no"], line["pos"]))
            released = max(local(document["released"]))
            # In the warehouse before its release: that is a matter of the sequence.
            if order is None or wms_time(order["CreatedMs"]) > released + 30 * MINUTES:
                found.add(("O06", f"{document['ext_ref']}/{line['ext_line']}"))
    return found


def _shipments(books: Books, entered_late_from: float) -> Violations:
    found: Violations = set()
    order_of = {row["doc_no"]: row["ext_ref"] for row in books.erp_orders}
    pack = {row["Sku"]: row["CasePack"] for row in books.wms_items}
    shipments = {row["ShipNbr"]: row for row in books.shipments}
    fulfilled = defaultdict(list)
    for document in books.fulfilments:
        if document["stat"] == "P":
            for line in document["lines"]:
                fulfilled[document["ship_ref"], line["pos"]].append((document, line))
            if document["ship_ref"] not in shipments:
                for line in document["lines"]:
                    name = f"{order_of[document['doc_no']]}/{line['pos'] // 10}"
                    found.add(("S03", name))
    invoiced = defaultdict(list)
    first_invoice: dict[str, Row] = {}
    for document in sorted(books.invoices, key=lambda row: row["inv_no"]):
        if document["stat"] != "P":
            continue
        if document["ship_ref"] in first_invoice:
            found.add(("F03", document["inv_no"]))
            continue
        first_invoice[document["ship_ref"]] = document
        amount = sum(Decimal(line["qty"]) * Decimal(line["prc"]) for line in document["lines"])
        assert abs(amount - Decimal(document["amt"])) <= Decimal("0.01")
        for line in document["lines"]:
            invoiced[document["ship_ref"], line["pos"]].append((document, line))
            if document["ship_ref"] not in shipments:
                found.add(("F02", f"{order_of[document['doc_no']]}/{line['pos'] // 10}"))
    scans = defaultdict(list)
    # A scan that comes again under a new number says what the first one said.
    same = {
        (scan["tracking-number"], scan["code"], scan["timestamp"]): scan
        for scan in reversed(books.scans)
    }
    for scan in same.values():
        scans[scan["tracking-number"]].append(scan)
    oms = {row["orderNumber"]: row for row in books.oms_orders}
    parcels: defaultdict[str, int] = defaultdict(int)
    arrived: defaultdict[tuple[str, int], int] = defaultdict(int)
    for shipment in books.shipments:
        codes = {scan["code"] for scan in scans[shipment["TrackingNbr"]]}
        parcels[shipment["HostOrder"]] += 1
        for line in shipment["Lines"]:
            base = line["Qty"] * (pack[line["Sku"]] if line["Uom"] == "CS" else 1)
            arrived[shipment["HostOrder"], line["HostLine"]] += base if "DL" in codes else 0
    for number, shipment in shipments.items():
        shipped = wms_time(shipment["ShippedMs"])
        for line in shipment["Lines"]:
            key = (number, line["HostLine"])
            name = f"{order_of[shipment['HostOrder']]}/{line['HostLine'] // 10}"
            base = line["Qty"] * (pack[line["Sku"]] if line["Uom"] == "CS" else 1)
            posted = [moment for row, _ in fulfilled[key] for moment in local(row["posted"])]
            if not in_time(shipped, posted, 30 * MINUTES):
                found.add(("S01", name))
            elif sum(Decimal(row["qty"]) for _, row in fulfilled[key]) != base:
                found.add(("S02", name))
            billed = [moment for row, _ in invoiced[key] for moment in local(row["posted"])]
            if not in_time(shipped, billed, 24 * HOURS):
                found.add(("F01", name))
            elif sum(Decimal(row["qty"]) for _, row in invoiced[key]) != base:
                found.add(("F02", name))
        parcel = scans[shipment["TrackingNbr"]]
        reported = [utc(scan["reported-at"]) for scan in parcel if scan["code"] == "PU"]
        if not any(moment <= shipped + 24 * HOURS for moment in reported):
            found.add(("S04", shipment["TrackingNbr"]))
        for scan in parcel:
            assert shipments[scan["reference"]]["TrackingNbr"] == scan["tracking-number"]
            if scan["code"] != "DL" or scan["reference"] != number:
                continue
            order = oms[order_of[shipment["HostOrder"]]]
            for line in shipment["Lines"]:
                told = order["lines"][line["HostLine"] // 10 - 1]
                heard = utc(order["updatedAt"])
                late = heard - utc(scan["reported-at"]) > HOURS
                # Another step than the delivery was its last change.
                if parcels[shipment["HostOrder"]] > 1 or shipped > utc(scan["reported-at"]):
                    late = False
                if heard >= entered_late_from:
                    late = False
                if arrived[shipment["HostOrder"], line["HostLine"]] < told["qty"]:
                    continue
                if told["deliveredAt"] is None or late:
                    found.add(("S05", f"{order['orderNumber']}/{told['lineNo']}"))
    return found


def _stock(books: Books) -> Violations:
    found: Violations = set()
    gtin_of_item = {row["item_no"]: row["gtin"] for row in books.erp_items}
    gtin_of_sku = {row["Sku"]: row["Gtin"] for row in books.wms_items}
    erp_ledger: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    wms_ledger: dict[tuple[str, str], int] = defaultdict(int)
    by_ref = defaultdict(list)
    erp_blocked: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    wms_damaged: dict[tuple[str, str], int] = defaultdict(int)
    for row in books.movements:
        ledger = erp_blocked if row["mv_type"] == "344" else erp_ledger
        ledger[gtin_of_item[row["item_no"]], CANON[row["whs"]]] += Decimal(row["qty"])
        by_ref[row["ref"]].append(row)
    for ref, rows in by_ref.items():
        if not ref.startswith("SHP-") and len([row for row in rows if Decimal(row["qty"])]) > 1:
            found.add(("I12", ref))
    waits = {"ADJ": "I11", "RCPT": "I11R", "HOLD": "I06"}
    for row in books.transactions:
        moved = wms_damaged if row["TranType"] == "HOLD" else wms_ledger
        moved[gtin_of_sku[row["Sku"]], row["Whse"]] += row["Qty"]
        if row["TranType"] in waits:
            since = wms_time(row["TranMs"])
            posted = [moment for twin in by_ref[row["Ref"]] for moment in local(twin["posted"])]
            if not in_time(since, posted, 2 * HOURS):
                found.add((waits[row["TranType"]], row["Ref"]))
    packs = {gtin_of_sku[row["Sku"]]: row["CasePack"] for row in books.wms_items}
    for row in books.stock:
        position = (gtin_of_item[row["item_no"]], CANON[row["whs"]])
        name = "@".join(position)
        drift = Decimal(row["qoh"]) - erp_ledger[position]
        if drift:
            found.add(("I01", name))
        if drift and packs[position[0]] > 1 and drift % packs[position[0]] == 0:
            found.add(("I10", name))
        if Decimal(row["qblk"]) != erp_blocked[position]:
            found.add(("I06B", name))
        if Decimal(row["qoh"]) < 0:
            found.add(("I07E", name))
        ordered = Decimal(row["qoh"]) + Decimal(row["qoo"])
        if row["rop"] is not None and ordered < Decimal(row["rop"]) + Decimal(row["qblk"]):
            found.add(("P08", name))
    allocated: dict[tuple[str, str], int] = defaultdict(int)
    pack = {row["Sku"]: row["CasePack"] for row in books.wms_items}
    for order in books.wms_orders:
        if order["Status"] not in ("SHIPPED", "CANCELED"):
            for line in order["Lines"]:
                base = line["OrdQty"] * (pack[line["Sku"]] if line["Uom"] == "CS" else 1)
                allocated[gtin_of_sku[line["Sku"]], order["Whse"]] += base
    for row in books.inventory:
        position = (gtin_of_sku[row["Sku"]], row["Whse"])
        assert row["OnHand"] == wms_ledger[position], position
        assert row["Damaged"] == wms_damaged[position], position
        if row["OnHand"] < max(0, row["Allocated"] + row["Damaged"]):
            found.add(("I07", "@".join(position)))
        assert row["Allocated"] == allocated[position], position
    return found


def _items(books: Books) -> Violations:
    master = {
        row["gtin"]: (row["case_qty"], row["wt_g"], row["sts"] == "A") for row in books.erp_items
    }
    prices = {row["gtin"]: Decimal(row["list_prc"]) for row in books.erp_items}
    for row in books.products:
        assert Decimal(row["listPrice"]) == prices[row["gtin"]]
    return {
        ("M02", row["Gtin"])
        for row in books.wms_items
        if (row["CasePack"], row["WeightGrams"], row["Status"] == "ACTIVE") != master[row["Gtin"]]
    }


def _promises(books: Books) -> Violations:
    """Units that nobody answered for, or that are kept; a parcel that is late, and not told so."""
    found: Violations = set()
    order_of = {row["doc_no"]: row["ext_ref"] for row in books.erp_orders}
    lines = {}
    for order in books.oms_orders:
        for line in order["lines"]:
            name = f"{order['orderNumber']}/{line['lineNo']}"
            lines[name] = line
            if line["reservation"] == "ASKED":
                found.add(("I04", name))
            if line["status"] == "CANCELLED" and line["reservation"] == "RESERVED":
                found.add(("I03S", name))
    parcels = defaultdict(set)
    for shipment in books.shipments:
        for line in shipment["Lines"]:
            name = f"{order_of[shipment['HostOrder']]}/{line['HostLine'] // 10}"
            parcels[shipment["TrackingNbr"]].add(name)
    scans = defaultdict(list)
    for scan in sorted(books.scans, key=lambda row: utc(row["reported-at"])):
        scans[scan["tracking-number"]].append(scan)
    for tracking, names in parcels.items():
        expected = None
        for scan in scans[tracking]:
            expected = None if scan["code"] == "DL" else scan["expected-delivery"] or expected
        troubled = any(scan["code"] == "EX" for scan in scans[tracking])
        for name in names:
            line = lines[name]
            if line["status"] == "CANCELLED":
                continue
            promised = line["promisedBy"]
            if expected and promised and utc(expected) > utc(promised) + HOURS:
                found.add(("S09", name))
            if troubled and line["exceptionAt"] is None:
                found.add(("S05D", name))
    return found


def _accounts(books: Books) -> Violations:
    """Of each line of the ERP something became of all of it, and it goes where the OMS says."""
    found: Violations = set()
    destinations = {row["orderNumber"]: row["shipTo"] for row in books.oms_orders}
    for document in books.erp_orders:
        for line in document["lines"]:
            ordered = Decimal(line["ord_qty"])
            parts = [Decimal(line[name]) for name in ("open_qty", "bo_qty", "can_qty")]
            if sum(parts) + min(ordered, Decimal(line["shp_qty"])) != ordered:
                found.add(("O12", f"{document['ext_ref']}/{line['ext_line']}"))
        # Our own orders leave the address to the ERP.
        if document["ship_to"] not in (None, destinations[document["ext_ref"]]):
            found.add(("O04", f"{document['ext_ref']}/1"))
    return found


def _codes(books: Books) -> Violations:
    unknown = {scan["code"] for scan in books.scans} - {"OC", "PU", "DP", "AR", "OD", "DL", "EX"}
    products = {row["sku"] for row in books.products}
    sold = {line["sku"] for order in books.oms_orders for line in order["lines"]}
    places = {order["Whse"] for order in books.wms_orders} - {"EAST", "WEST"}
    gtins = Counter(row["Gtin"] for row in books.wms_items)
    customers = {order["customerRef"].removeprefix("C") for order in books.oms_orders}
    strangers = {document["cust_no"] for document in books.erp_orders} - customers
    return (
        {("D03", f"carrier.tracking_events.code={code}") for code in unknown}
        | {("M01", f"oms.order_lines.sku={sku}") for sku in sold - products}
        | {("M01", f"wms.order_lines.whse={place}") for place in places}
        | {("M01", f"wms.items.gtin={gtin}") for gtin, count in gtins.items() if count > 1}
        | {("M01", f"erp.sales_order_lines.cust_no={number}") for number in strangers}
        | _reversed_scans(books)
        | _late_reports(books)
    )


def _reversed_scans(books: Books) -> Violations:
    """Parcels delivered more than an hour before they left, or before any scan on their way."""
    left = {row["TrackingNbr"]: wms_time(row["ShippedMs"]) for row in books.shipments}
    on_its_way: dict[str, float] = {}
    delivered: dict[str, float] = {}
    for scan in books.scans:
        moment = utc(scan["timestamp"])
        # Codes that begin with Z are nobody's.
        code = scan["code"][0] if scan["code"].startswith("Z") else scan["code"]
        found = {"DL": delivered, "OC": {}, "EX": {}, "Z": {}}.get(code, on_its_way)
        tracking = scan["tracking-number"]
        found[tracking] = min(moment, found.get(tracking, moment))
    return {
        (rule, tracking)
        for rule, first in (("S06", left), ("O08C", on_its_way))
        for tracking, moment in delivered.items()
        if moment + HOURS < first.get(tracking, moment)
    }


def _late_reports(books: Books) -> Violations:
    """A feed tells of scans more than a day after they were made."""
    late = any(utc(row["reported-at"]) - utc(row["timestamp"]) > 24 * HOURS for row in books.scans)
    return {("D04B", "carrier.tracking_events")} if late else set()


def _quantities(books: Books) -> Violations:
    """Of each line no more is shipped than was ordered, and no more invoiced than was shipped."""
    order_of = {row["doc_no"]: row["ext_ref"] for row in books.erp_orders}
    pack = {row["Sku"]: row["CasePack"] for row in books.wms_items}
    ordered = {
        f"{order['orderNumber']}/{line['lineNo']}": Decimal(line["qty"])
        for order in books.oms_orders
        for line in order["lines"]
    }
    shipped: defaultdict[str, Decimal] = defaultdict(Decimal)
    invoiced: defaultdict[str, Decimal] = defaultdict(Decimal)
    for shipment in books.shipments:
        for line in shipment["Lines"]:
            name = f"{order_of[shipment['HostOrder']]}/{line['HostLine'] // 10}"
            shipped[name] += line["Qty"] * (pack[line["Sku"]] if line["Uom"] == "CS" else 1)
    for document in books.invoices:
        for line in document["lines"] if document["stat"] == "P" else []:
            name = f"{order_of[document['doc_no']]}/{line['pos'] // 10}"
            invoiced[name] += Decimal(line["qty"])
    return {("S07", name) for name, amount in shipped.items() if amount > ordered[name]} | {
        ("F02Q", name) for name, amount in invoiced.items() if 0 < shipped[name] < amount
    }


def _sequences(books: Books) -> Violations:
    """What comes first did, as far as the clocks of both systems can tell."""
    found: Violations = set()
    erp = {row["doc_no"]: row for row in books.erp_orders}
    for order in books.wms_orders:
        document = erp[order["HostOrder"]]
        if wms_time(order["CreatedMs"]) + 5 * MINUTES < min(local(document["booked"])):
            lines = {line["HostLine"] // 10 for line in order["Lines"]}
            found |= {("O07", f"{document['ext_ref']}/{line}") for line in lines}
    left: defaultdict[str, list[float]] = defaultdict(list)
    for shipment in books.shipments:
        left[shipment["TrackingNbr"]].append(wms_time(shipment["ShippedMs"]))
    for scan in books.scans:
        departures = left[scan["tracking-number"]]
        delivered = utc(scan["timestamp"])
        if scan["code"] == "DL" and departures and min(departures) > delivered + 60 * MINUTES:
            found.add(("S06", scan["tracking-number"]))
    return found | {("S06T", tracking) for tracking, moments in left.items() if len(moments) > 1}


def _unfinished(books: Books) -> Violations:
    """What was begun and never went on."""
    found: Violations = set()
    now = max(utc(order["updatedAt"]) for order in books.oms_orders)
    pack = {row["Sku"]: row["CasePack"] for row in books.wms_items}
    given: defaultdict[tuple[str, int], int] = defaultdict(int)
    for order in books.wms_orders:
        for line in order["Lines"]:
            base = line["OrdQty"] * (pack[line["Sku"]] if line["Uom"] == "CS" else 1)
            given[order["HostOrder"], line["HostLine"]] += base
    released = {row["ext_ref"] for row in books.erp_orders if row["released"]}
    for document in books.erp_orders:
        for line in document["lines"]:
            name = f"{document['ext_ref']}/{line['ext_line']}"
            if line["cancelled"] is not None:
                continue
            waiting = now - max(local(document["booked"]))
            if document["held"] and not document["validated"]:
                found.add(("O11", name))
            if document["ext_ref"] not in released and waiting > 96 * HOURS:
                found.add(("O09R", name))
            known = given[document["doc_no"], line["pos"]]
            if document["released"] and 0 < known < Decimal(line["ord_qty"]):
                found.add(("O06Q", name))
    found |= _kept_in_the_warehouse(books, now)
    gone = {shipment["TrackingNbr"] for shipment in books.shipments}
    gone |= {scan["tracking-number"] for scan in books.scans if scan["code"] in ("PU", "DL")}
    for scan in books.scans:
        printed = scan["code"] == "OC" and scan["tracking-number"] not in gone
        if printed and now - utc(scan["reported-at"]) > 48 * HOURS:
            found.add(("S04L", scan["tracking-number"]))
    return found


def _kept_in_the_warehouse(books: Books, now: float) -> Violations:
    """Lines that a warehouse has had for four days, and nobody says that they left or not."""
    erp = {row["doc_no"]: row for row in books.erp_orders}
    cancelled = {
        f"{order['orderNumber']}/{line['lineNo']}"
        for order in books.oms_orders
        for line in order["lines"]
        if line["cancelledAt"] is not None
    }
    left = {
        (shipment["HostOrder"], line["HostLine"])
        for shipment in books.shipments
        for line in shipment["Lines"]
    }
    left |= {(row["doc_no"], line["pos"]) for row in books.fulfilments for line in row["lines"]}
    found: Violations = set()
    for order in books.wms_orders:
        if order["Status"] == "CANCELED" or now - wms_time(order["CreatedMs"]) <= 96 * HOURS:
            continue
        document = erp[order["HostOrder"]]
        for line in document["lines"]:
            name = f"{document['ext_ref']}/{line['ext_line']}"
            known = line["pos"] in {held["HostLine"] for held in order["Lines"]}
            dropped = line["cancelled"] is not None or name in cancelled
            if known and not dropped and (order["HostOrder"], line["pos"]) not in left:
                found.add(("O09W", name))
    return found


def _identities(books: Books) -> Violations:
    """The ordered item is sent, and one purchase order of a customer is taken once.

    What no system knows can't be compared with what was sent: that it is unknown is a matter of
    codes.
    """
    found: Violations = set()
    gtin = {row["item_no"]: row["gtin"] for row in books.erp_items}
    gtin |= {row["Sku"]: row["Gtin"] for row in books.wms_items}
    gtin |= {row["sku"]: row["gtin"] for row in books.products}
    ordered = {
        f"{order['orderNumber']}/{line['lineNo']}": gtin[line["sku"]]
        for order in books.oms_orders
        for line in order["lines"]
        if line["sku"] in gtin
    }
    booked = {
        (document["doc_no"], line["pos"]): (
            f"{document['ext_ref']}/{line['ext_line']}",
            gtin[line["item_no"]],
        )
        for document in books.erp_orders
        for line in document["lines"]
    }
    for shipment in books.shipments:
        for line in shipment["Lines"]:
            name, item = booked[shipment["HostOrder"], line["HostLine"]]
            sent = gtin[line["Sku"]]
            found |= {("S01I", name)} if sent != item else set()
            found |= {("S07I", name)} if sent != ordered.get(name, sent) else set()
    taken = defaultdict(list)
    for order in books.oms_orders:
        replaces = all(line.get("replaces") for line in order["lines"])
        if order["status"] != "CANCELLED" and not replaces:
            lines = sorted((line["sku"], line["qty"]) for line in order["lines"])
            taken[order["customerRef"], order["customerPo"], str(lines)].append(order)
    for same in taken.values():
        for later in sorted(same, key=lambda row: row["placedAt"])[1:]:
            found.add(("O03N", later["id"]))
    return found
