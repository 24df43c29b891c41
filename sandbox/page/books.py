"""What follows the bill of an order: its books, what came back, what was credited and paid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.clock import parse_iso
from sandbox.distributor import Distributor
from sandbox.events import Event
from sandbox.page.beliefs import Beliefs, figure, wms_moment
from sandbox.page.cells import (
    AGREES,
    COMING,
    DIFFERS,
    EXTRA,
    MISSING,
    PLAIN,
    Entry,
    Grid,
    Row,
    absent,
    dated,
    from_local,
    happened,
    joined,
    valued,
)
from sandbox.page.happened import OrderTruth
from sandbox.returns import GOODWILL
from sandbox.tables import Document, Table
from sandbox.truth import GRACE_SECONDS
from sandbox.views.erp import ErpView
from sandbox.views.settlements import CREDIT, PAYMENT


def book_grids(
    distributor: Distributor, erp: ErpView, truth: OrderTruth, held: Beliefs
) -> list[Grid]:
    """A grid for each return, one for what else was credited, one for payments and periods."""
    settled = [
        document
        for order in held.erp_orders
        for document in _found(erp, "settlements", "doc_no", order["doc_no"])
    ]
    credits = [document for document in settled if document["typ"] == CREDIT]
    returns = [
        _Return(name, distributor, erp, truth, [one for one in credits if one["rma_no"] == name])
        for name in _return_numbers(distributor, truth, held)
    ]
    others = [document for document in credits if document["rma_no"] is None]
    grids = [one.grid() for one in returns]
    grids.append(Grid("Credited without a return", [_other(one, truth) for one in others]))
    payments = [document for document in settled if document["typ"] == PAYMENT]
    grids.append(Grid("Payments", _payments(payments, truth)))
    grids.append(Grid("Accounting periods", _periods(erp, held.invoices)))
    return [grid for grid in grids if grid.rows]


def _found(view: ErpView, entity: str, field: str, value: str) -> list[Document]:
    table = view.tables.get(entity)
    return table.by(field, value) if table else []


def _return_numbers(distributor: Distributor, truth: OrderTruth, held: Beliefs) -> list[str]:
    """Every return that happened or that a system speaks of."""
    told = [event.data["return"] for event in truth.events if "return" in event.data]
    oms = distributor.oms.tables.get("returns")
    told += [row["rmaNumber"] for row in oms.by("orderNumber", truth.number)] if oms else []
    wms = distributor.wms.tables.get("returns")
    if wms and truth.is_in_oms:
        hosts = [order["doc_no"] for order in held.erp_orders]
        told += [row["RmaNbr"] for host in hosts for row in wms.by("HostOrder", host)]
    return list(dict.fromkeys(told))


@dataclass
class _Return:
    """One return: what is so, and the document of each system."""

    name: str
    distributor: Distributor
    erp: ErpView
    truth: OrderTruth
    credits: list[Document]

    def grid(self) -> Grid:
        """Authorised, received and credited, and how many eaches."""
        rows = [self._authorised(), self._received(), self._credited(), self._quantity()]
        return Grid(f"Return {self.name}", [row for row in rows if row is not None])

    @property
    def oms(self) -> Document | None:
        return _edited(self.distributor.oms.tables.get("returns"), f"ret_{self.name[4:]}")

    @property
    def wms(self) -> Document | None:
        return _edited(self.distributor.wms.tables.get("returns"), self.name)

    @property
    def posted(self) -> list[Document]:
        return self.erp.movements.by("ref", self.name)

    def _event(self, kind: str) -> Event | None:
        return next(
            (
                event
                for event in self.truth.events
                if event.kind == kind
                and event.data.get("return") == self.name
                and event.at <= self.truth.now
            ),
            None,
        )

    def _authorised(self) -> Row:
        event, now = self._event("return_authorised"), self.truth.now
        row = Row("Authorised")
        row.add("truth", happened(event.at) if event else Entry("never authorised"))
        true = event.at if event else None
        if self.oms:
            row.add("oms", dated(parse_iso(self.oms["authorizedAt"]), true, now))
        elif event:
            row.add("oms", absent(event.seen.get("oms"), now))
        if self.wms:
            row.add("wms", dated(wms_moment(self.wms["CreatedMs"]), true, now, "expected"))
        elif event:
            row.add("wms", absent(event.seen.get("wms"), now))
        return row

    def _received(self) -> Row:
        event, now = self._event("return_received"), self.truth.now
        row = Row("Came back")
        row.add("truth", happened(event.at) if event else Entry("not yet"))
        true = event.at if event else None
        if self.oms and self.oms["receivedAt"]:
            row.add("oms", dated(parse_iso(self.oms["receivedAt"]), true, now))
        elif event:
            row.add("oms", absent(event.seen.get("oms"), now))
        if self.wms and self.wms["ReceivedMs"]:
            row.add("wms", dated(wms_moment(self.wms["ReceivedMs"]), true, now))
        elif event:
            row.add("wms", absent(event.seen.get("wms"), now))
        for document in self.posted:
            posted = from_local(document["posted"], true)
            row.add("erp", dated(posted, true, now, "back in stock"))
        if event and not self.posted:
            row.add("erp", absent(event.seen.get("erp"), now, "not put back into stock"))
        return row

    def _credited(self) -> Row:
        came, now = self._event("return_received"), self.truth.now
        row = Row("Credited")
        if came:
            row.add("truth", Entry("owed since it came back"))
        else:
            row.add("truth", Entry("nothing to credit yet"))
        for entry in _standing(self.credits, came.at if came else None, now):
            row.add("erp", entry)
        if came and not any(document["stat"] == "P" for document in self.credits):
            overdue = now - came.at > GRACE_SECONDS["F05A"]
            row.add("erp", Entry("not credited", MISSING) if overdue else Entry("due", COMING))
        event = self._event("return_credited")
        if self.oms and self.oms["creditedAt"]:
            true = event.at if event else None
            row.add("oms", dated(parse_iso(self.oms["creditedAt"]), true, now))
        elif event:
            row.add("oms", absent(event.seen.get("oms"), now))
        return row

    def _quantity(self) -> Row | None:
        came = self._event("return_received")
        if came is None:
            return None
        row = Row("Eaches")
        true = str(sum(line["qty"] for line in came.data["lines"]))
        row.add("truth", Entry(true))
        if self.oms:
            row.add("oms", valued(str(sum(line["qty"] for line in self.oms["lines"])), true))
        if self.wms:
            row.add("wms", valued(str(sum(line["Qty"] for line in self.wms["Lines"])), true))
        if self.posted:
            booked = [figure(document["qty"]) for document in self.posted]
            row.add("erp", valued(str(sum(map(int, booked))), true))
        return row


def _edited(table: Table | None, record_id: str) -> Document | None:
    return table.edit(record_id) if table and record_id in table else None


def _standing(credits: Iterable[Document], true: float | None, now: float) -> list[Entry]:
    """Credit memos: when they were posted, and how much they let to the customer."""
    entries = []
    for document in credits:
        amount = f"{document['amt']} {document['curr']}"
        entry = dated(from_local(document["posted"], true), true, now)
        note = joined(document["set_no"], amount)
        if document["stat"] != "P":
            entry = Entry(entry.text, PLAIN, joined(note, "taken back"), entry.at)
        elif true is None:
            entry = Entry(entry.text, EXTRA, joined(note, "nothing came back"), entry.at)
        else:
            entry = Entry(entry.text, entry.state, joined(note, entry.note), entry.at)
        entries.append(entry)
    return entries


def _other(document: Document, truth: OrderTruth) -> Row:
    """A credit that names no return: an allowance by its reason, or a return that never came."""
    row = Row(document["set_no"])
    allowed = document["reason"] == GOODWILL
    row.add("truth", Entry("an allowance" if allowed else "nothing came back"))
    (entry,) = _standing([document], None, truth.now)
    if allowed and document["stat"] == "P":
        entry = Entry(entry.text, AGREES, f"{document['amt']} {document['curr']}", entry.at)
    row.add("erp", entry)
    return row


def _payments(payments: list[Document], truth: OrderTruth) -> list[Row]:
    """What the bank told once and the ERP entered once, or twice."""
    paid: dict[str, Event] = {}
    for event in truth.events:
        if event.kind == "paid" and event.at <= truth.now:
            paid.setdefault(event.data["bank_ref"], event)
    rows, entered = [], set()
    for document in payments:
        known = paid.get(document["bank_ref"])
        again = document["bank_ref"] in entered
        entered.add(document["bank_ref"])
        true = known.at if known and not again else None
        entry = dated(from_local(document["posted"], true), true, truth.now)
        amount = f"{document['amt']} {document['curr']}"
        note = joined(f"for {document['inv_no']}", amount, "entered twice" if again else "")
        if document["stat"] != "P":
            entry = Entry(entry.text, PLAIN, joined(note, "taken back"), entry.at)
        row = Row(document["set_no"])
        row.add("truth", Entry("paid once") if true is None else happened(true))
        row.add("erp", Entry(entry.text, entry.state, note, entry.at))
        rows.append(row)
    return rows


def _periods(erp: ErpView, invoices: Iterable[Document]) -> list[Row]:
    """The month of each invoice's date, and whether its books were open when it was posted."""
    table = erp.tables.get("periods")
    rows = []
    for document in invoices if table else ():
        month = document["inv_date"][:7]
        period = _edited(table, month)
        if period is None:
            continue
        row = Row(f"{document['inv_no']} counts in")
        row.add("truth", Entry(document["posted"][:7], note="when it was posted"))
        late = bool(period["closed"]) and period["closed"] < document["posted"]
        told = f"closed on {period['closed'][:10]}" if period["closed"] else "open"
        state = DIFFERS if late and document["stat"] == "P" else AGREES
        row.add("erp", Entry(month, state, told))
        rows.append(row)
    return rows
