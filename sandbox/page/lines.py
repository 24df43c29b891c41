"""The lines of one order: quantities, prices and states, as each system holds them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from sandbox.catalogue import Item, erp_item, oms_sku, wms_sku
from sandbox.clock import parse_iso
from sandbox.page.beliefs import ERP_STATUS, Beliefs, figure
from sandbox.page.cells import (
    COMING,
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
    valued,
)
from sandbox.page.happened import OrderTruth
from sandbox.tables import Document, Table
from sandbox.truth import GRACE_SECONDS
from sandbox.views.oms import money


def line_grids(truth: OrderTruth, held: Beliefs, items: list[Item], wms_items: Table) -> list[Grid]:
    """One grid a line."""
    return [
        _Line(number, truth, held, items[line["item"] - 1], wms_items).grid()
        for number, line in sorted(truth.lines.items())
    ]


class _Line:
    """One line with what belongs to it in every document."""

    def __init__(
        self, number: int, truth: OrderTruth, held: Beliefs, item: Item, wms_items: Table
    ) -> None:
        self.number, self.truth, self.held, self.item = number, truth, held, item
        self.sku = wms_sku(item.number)
        self.pack = wms_items.edit(self.sku)["CasePack"] if self.sku in wms_items else 1
        self.oms = _one(held.oms, "lines", "lineNo", number)
        self.erp = _one(held.erp, "lines", "ext_line", number)
        self.wms_parts = [
            line
            for order in held.wms_orders
            if order["Status"] != "CANCELED" or order is held.wms
            for line in order["Lines"]
            if line["HostLine"] == number * 10
        ]

    def grid(self) -> Grid:
        """The facts that anyone has something to say about."""
        rows = [
            self._ordered(),
            self._item(),
            self._price(),
            self._cancelled(),
            self._bought(),
            self._shipped(),
            self._invoiced(),
            self._status(),
        ]
        codes = (oms_sku(self.item.number), erp_item(self.item.number), self.sku)
        return Grid(
            f"Line {self.number} · {self.item.title}",
            [row for row in rows if row is not None],
            f"OMS {codes[0]} · ERP {codes[1]} · WMS {codes[2]} · GTIN {self.item.gtin}",
        )

    def _eaches(self, qty: int, uom: str) -> tuple[str, str]:
        """A quantity of the warehouse in eaches, and how it comes about."""
        if uom != "CS":
            return str(qty), ""
        return str(qty * self.pack), f"{qty} cases of {self.pack}"

    def _ordered(self) -> Row:
        row = Row("Ordered")
        true = str(self.truth.lines[self.number]["qty"])
        row.add("truth", Entry(true))
        if self.oms:
            row.add("oms", valued(figure(self.oms["qty"]), true))
        if self.erp:
            coming = self._is_coming("line_quantity_changed", "erp")
            row.add("erp", valued(figure(self.erp["ord_qty"]), true, coming))
        if self.wms_parts:
            parts = [self._eaches(line["OrdQty"], line["Uom"]) for line in self.wms_parts]
            said = str(sum(int(qty) for qty, _ in parts))
            notes = [note or qty for qty, note in parts]
            note = " + ".join(notes) if len(parts) > 1 else parts[0][1]
            row.add("wms", valued(said, true, note=note))
        return row

    def _item(self) -> Row | None:
        """Only where another item was sent, or is held by someone, than was ordered."""
        row = Row("Item")
        true = self.truth.items[self.number]
        row.add("truth", Entry(oms_sku(true)))
        held = [
            ("oms", self.oms and self.oms["sku"], oms_sku(true)),
            ("erp", self.erp and self.erp["item_no"], erp_item(true)),
            *(("wms", line["Sku"], wms_sku(true)) for line in self._sent()),
        ]
        told = [(system, said, wanted) for system, said, wanted in held if said]
        ordered = self.truth.lines[self.number]["item"]
        if true == ordered and all(said == wanted for _, said, wanted in told):
            return None
        for system, said, wanted in told:
            row.add(system, valued(said, wanted))
        return row

    def _price(self) -> Row:
        row = Row("Unit price")
        true = money(self.truth.prices[self.number])
        row.add("truth", Entry(true))
        coming = self._is_coming("line_repriced", "oms")
        if self.oms:
            row.add("oms", valued(f"{Decimal(self.oms['unitPrice']):.2f}", true, coming))
        if self.erp:
            row.add("erp", valued(f"{Decimal(self.erp['prc']):.2f}", true))
        return row

    def _is_coming(self, kind: str, system: str) -> bool:
        """Whether a system has yet to hear of a change of this line."""
        told = [
            event.seen.get(system)
            for event in self.truth.events
            if event.kind == kind
            and self.number in (event.data.get("line"), *map(int, event.data.get("lines", ())))
        ]
        return any(when is not None and when > self.truth.now for when in told)

    def _cancelled(self) -> Row | None:
        truth, now = self.truth, self.truth.now
        event = truth.cancelled.get(self.number)
        oms = self.oms["cancelledAt"] if self.oms else None
        erp = self.erp["cancelled"] if self.erp else None
        picking = None if self.number in truth.bought else self.held.wms
        wms = picking is not None and picking["Status"] == "CANCELED"
        if not (event or oms or erp or wms):
            return None
        true = event.at if event else None
        row = Row("Cancelled")
        row.add("truth", happened(event.at) if event else Entry("it stands"))
        if oms:
            row.add("oms", dated(parse_iso(oms), true, now))
        elif event and truth.is_in_oms:
            row.add("oms", absent(event.seen.get("oms"), now, "it stands"))
        # What has left cannot be cancelled any more: the parcel comes back as a return.
        left = truth.quantity_shipped(self.number) > 0
        if erp:
            row.add("erp", dated(from_local(erp, true), true, now))
        elif event and self.erp:
            still = Entry("shipped before", PLAIN)
            row.add("erp", still if left else absent(event.seen.get("erp"), now, "it stands"))
        if wms:
            row.add("wms", Entry("cancelled", PLAIN if event else EXTRA))
        elif event and picking and truth.all_cancelled and not left:
            row.add("wms", absent(event.seen.get("wms"), now, "it stands"))
        return row

    def _bought(self) -> Row | None:
        """The purchase order by which a supplier ships it to the customer."""
        true = self.truth.bought.get(self.number)
        if true is None:
            return None
        row = Row("Drop-shipped by")
        row.add("truth", Entry(true))
        said = self.erp.get("po_no") if self.erp else None
        coming = self._is_coming("lines_bought", "erp")
        row.add("erp", valued(said or "–", true, coming))
        return row

    def _shipped(self) -> Row | None:
        held, truth = self.held, self.truth
        true = truth.quantity_shipped(self.number)
        sent = [self._eaches(line["Qty"], line["Uom"]) for line in self._sent()]
        posted = self._posted(held.fulfilments)
        if not (true or sent or posted):
            return None
        row = Row("Shipped")
        row.add("truth", Entry(str(true)))
        parcels = [p for p in truth.parcels.values() if self.number in p.quantities]
        for column, said, note in (
            ("wms", str(sum(int(qty) for qty, _ in sent)), ", ".join(n for _, n in sent if n)),
            ("erp", figure(posted or 0), "fulfilled"),
        ):
            if column == "wms" and self.number in truth.bought and not sent:
                continue
            coming = any(parcel.seen.get(column, 0.0) > truth.now for parcel in parcels)
            entry = valued(said, str(true), coming, note)
            if column == "wms" and true > truth.lines[self.number]["qty"]:
                entry = Entry(said, EXTRA, "more than was ordered")
            row.add(column, entry)
        return row

    def _sent(self) -> list[Document]:
        """What the warehouse sent for this line, by its shipments."""
        return [
            line
            for shipment in self.held.shipments
            for line in shipment["Lines"]
            if line["HostLine"] == self.number * 10
        ]

    def _invoiced(self) -> Row | None:
        true = self.truth.quantity_shipped(self.number)
        said = self._posted(self.held.invoices)
        if not (true or said):
            return None
        row = Row("Invoiced")
        row.add("truth", Entry(str(true), note="as shipped"))
        left = [p.at for p in self.truth.parcels.values() if self.number in p.quantities]
        if said == 0:
            overdue = any(self.truth.now - at > GRACE_SECONDS["F01"] for at in left)
            row.add("erp", Entry("0", MISSING if overdue else COMING))
        else:
            recent = any(self.truth.now - at <= GRACE_SECONDS["F01"] for at in left)
            row.add("erp", valued(figure(said), str(true), recent and said < true))
        return row

    def _posted(self, documents: Iterable[Document]) -> Decimal:
        """What stands posted for this line, over the ERP's own bookings of the order."""
        return sum(
            (
                Decimal(line["qty"])
                for document in documents
                if document["stat"] == "P"
                for line in document["lines"]
                if line["pos"] == self.number * 10
            ),
            Decimal(0),
        )

    def _status(self) -> Row:
        row = Row("Status")
        if self.oms:
            premature = self.oms["status"] in ("SHIPPED", "DELIVERED") and not (
                self.truth.quantity_shipped(self.number)
            )
            row.add("oms", Entry(self.oms["status"], EXTRA if premature else PLAIN))
        if self.erp:
            stat = self.erp["stat"]
            row.add("erp", Entry(f"{stat} {ERP_STATUS.get(stat, '')}".strip()))
        if self.held.wms and self.number not in self.truth.bought:
            row.add("wms", Entry(self.held.wms["Status"]))
        return row


def _one(document: Document | None, lines: str, field: str, value: int) -> Document | None:
    found = document[lines] if document else []
    return next((line for line in found if line[field] == value), None)
