"""What the ERP holds: sales orders, fulfilments, invoices, the stock ledger and its balances."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.catalogue import ERP_WAREHOUSE, erp_item, erp_system, ship_to
from sandbox.clock import local_naive
from sandbox.numbers import Numbers
from sandbox.tables import Document, Table
from sandbox.views.base import View

OPEN, BOOKED, RELEASED, FULFILLED, INVOICED, CANCELLED = 10, 20, 30, 40, 50, 90
BLOCKED, REVALUED = "344", "RV"
"""Movements that change what may be done with stock, or what it is worth, and not how much."""

_CENT = Decimal("0.01")
_MILLI = Decimal("0.001")


def quantity(value: Decimal | int) -> str:
    """``5.000``."""
    return f"{value}.000" if isinstance(value, int) else f"{value.quantize(_MILLI):f}"


def price(cents: int) -> str:
    """``12.5000``."""
    return f"{cents // 100}.{cents % 100:02d}00"


def count(line: Document, shipped: Decimal) -> None:
    """What became of the quantity of an order line: shipped, cancelled, backordered or open."""
    left = max(Decimal(0), Decimal(line["ord_qty"]) - shipped)
    cancelled = left if line["cancelled"] is not None else Decimal(0)
    waiting = min(Decimal(line["bo_qty"]), left - cancelled)
    line["shp_qty"], line["can_qty"] = quantity(shipped), quantity(cancelled)
    line["bo_qty"], line["open_qty"] = quantity(waiting), quantity(left - cancelled - waiting)


class ErpView(View):
    """Tables by their entity's name in the ERP's own addresses."""

    system = "erp"

    def __init__(self, numbers: Numbers) -> None:
        self.orders = Table(
            "sales_orders", ("doc_no",), order_field="modified", indexes=("ext_ref",)
        )
        self.fulfilments = Table(
            "fulfilments", ("ful_no",), order_field="modified", indexes=("doc_no", "ship_ref")
        )
        self.invoices = Table(
            "invoices", ("inv_no",), order_field="modified", indexes=("doc_no", "ship_ref")
        )
        self.movements = Table(
            "stock_movements", ("mv_no",), order_field="modified", indexes=("ref", "item_no")
        )
        self.stock = Table("stock", ("item_no", "whs"), indexes=("item_no",))
        self.items = Table("items", ("item_no",), order_field="modified")
        super().__init__(
            numbers,
            (self.orders, self.fulfilments, self.invoices, self.movements, self.stock, self.items),
        )

    # Changes that events and writes over the interface have in common.

    def touch(self, table: Table, document: Document, stamp: float) -> None:
        """Store a changed document as its next version."""
        document["row_version"] += 1
        document["modified"] = local_naive(stamp)
        table.put(document)

    def restate(self, table: Table, document: Document, stamp: float) -> None:
        self.touch(table, document, stamp)

    def book_order(
        self, doc_no: str, header: Document, lines: list[Document], when: float, stamp: float
    ) -> Document:
        """A new sales order. Lines hold ext_line, item_no, ord_qty and prc as texts.

        ``header["held"]``: the customer's credit must be checked by a person before it is booked.
        Else it was checked on entry, of which nothing is kept.
        """
        held = header.get("held", False)
        stat = OPEN if held else BOOKED
        document = {
            "doc_no": doc_no,
            "ext_ref": header["ext_ref"],
            "cust_no": header["cust_no"],
            "cust_po": header["cust_po"],
            "curr": header["curr"],
            "ship_to": header.get("ship_to"),
            # The warehouse that is to ship it: decided with the release.
            "whs": None,
            "stat": stat,
            "entered": local_naive(when),
            "held": local_naive(when) if held else None,
            "validated": None,
            "booked": None if held else local_naive(when),
            "released": None,
            "cancelled": None,
            "modified": local_naive(stamp),
            "row_version": 1,
            "origin": header.get("origin"),
            "lines": [
                {
                    "pos": line["ext_line"] * 10,
                    "ext_line": line["ext_line"],
                    "item_no": line["item_no"],
                    "ord_qty": line["ord_qty"],
                    "open_qty": quantity(0) if line.get("lacking") else line["ord_qty"],
                    "bo_qty": line["ord_qty"] if line.get("lacking") else quantity(0),
                    "shp_qty": quantity(0),
                    "can_qty": quantity(0),
                    "um": "EA",
                    "prc": line["prc"],
                    "stat": stat,
                    "cancelled": None,
                }
                for line in lines
            ],
        }
        self.orders.put(document)
        return document

    def cancel_lines(
        self, doc_no: str, positions: Iterable[int] | None, when: float, stamp: float
    ) -> Document:
        """Cancel lines of an order, or all of them."""
        order = self.orders.edit(doc_no)
        wanted = None if positions is None else set(positions)
        for line in order["lines"]:
            if line["cancelled"] is None and (wanted is None or line["pos"] in wanted):
                line["cancelled"] = local_naive(when)
        self._restate(order, when)
        self.touch(self.orders, order, stamp)
        return order

    def reopen_lines(self, doc_no: str, positions: Iterable[int] | None, stamp: float) -> Document:
        """Undo a cancellation."""
        order = self.orders.edit(doc_no)
        wanted = None if positions is None else set(positions)
        for line in order["lines"]:
            if wanted is None or line["pos"] in wanted:
                line["cancelled"] = None
        self._restate(order, stamp)
        self.touch(self.orders, order, stamp)
        return order

    def post_fulfilment(
        self,
        number: str,
        doc_no: str,
        ship_ref: str,
        whs: str | None,
        lines: list[tuple[int, Decimal]],
        when: float,
        stamp: float,
        origin: str | None = None,
    ) -> Document:
        """A new fulfilment with its goods issue movements (601); without ``whs`` there are none."""
        document = {
            "ful_no": number,
            "doc_no": doc_no,
            "ship_ref": ship_ref,
            "whs": whs,
            "posted": local_naive(when),
            "stat": "P",
            "reversed": None,
            "modified": local_naive(stamp),
            "row_version": 1,
            "origin": origin,
            "lines": [{"pos": pos, "qty": quantity(qty)} for pos, qty in lines],
        }
        self.fulfilments.put(document)
        items = {line["pos"]: line["item_no"] for line in self.orders.edit(doc_no)["lines"]}
        # What a supplier ships leaves no warehouse of ours.
        if whs is not None:
            for pos, qty in lines:
                self.post_movement(
                    items[pos], whs, "601", -qty, ship_ref, None, when, stamp, origin=origin
                )
        self._after_posting(doc_no, stamp)
        return document

    def adjust_fulfilment(
        self, number: str, lines: dict[int, Decimal], stamp: float, origin: str | None = None
    ) -> Document:
        """Other quantities in a posted fulfilment, with the movement of each difference."""
        document = self.fulfilments.edit(number)
        items = {
            line["pos"]: line["item_no"] for line in self.orders.edit(document["doc_no"])["lines"]
        }
        for line in document["lines"]:
            if line["pos"] not in lines:
                continue
            more = lines[line["pos"]] - Decimal(line["qty"])
            if more:
                self.post_movement(
                    items[line["pos"]],
                    document["whs"],
                    "601" if more > 0 else "602",
                    -more,
                    document["ship_ref"],
                    "quantity adjusted",
                    stamp,
                    stamp,
                    origin=origin,
                )
            line["qty"] = quantity(lines[line["pos"]])
        self.touch(self.fulfilments, document, stamp)
        self._after_posting(document["doc_no"], stamp)
        return document

    def reverse_fulfilment(
        self,
        number: str,
        reason: str | None,
        when: float,
        stamp: float,
        origin: str | None = None,
    ) -> Document:
        """Take a fulfilment back, with the movements that undo its goods issue (602)."""
        document = self.fulfilments.edit(number)
        document["stat"] = "R"
        document["reversed"] = local_naive(when)
        items = {
            line["pos"]: line["item_no"] for line in self.orders.edit(document["doc_no"])["lines"]
        }
        for line in document["lines"]:
            self.post_movement(
                items[line["pos"]],
                document["whs"],
                "602",
                Decimal(line["qty"]),
                document["ship_ref"],
                reason,
                when,
                stamp,
                origin=origin,
            )
        self.touch(self.fulfilments, document, stamp)
        self._after_posting(document["doc_no"], stamp)
        return document

    def post_invoice(
        self,
        number: str,
        doc_no: str,
        ship_ref: str,
        lines: list[tuple[int, Decimal]],
        when: float,
        stamp: float,
        origin: str | None = None,
        cents_off: int = 0,
        dated: str | None = None,
    ) -> Document:
        """A new invoice at the order's prices. ``cents_off`` moves the total (rounding).

        ``dated``: the day on it, which whoever enters it may choose; that of posting by default.
        """
        order = self.orders.edit(doc_no)
        prices = {line["pos"]: line["prc"] for line in order["lines"]}
        amount = sum((qty * Decimal(prices[pos]) for pos, qty in lines), Decimal(0))
        amount = amount.quantize(_CENT, ROUND_HALF_UP) + Decimal(cents_off) * _CENT
        posted = local_naive(when)
        document = {
            "inv_no": number,
            "doc_no": doc_no,
            "ship_ref": ship_ref,
            "inv_date": dated or posted[:10],
            "posted": posted,
            "stat": "P",
            "voided": None,
            "amt": f"{amount:f}",
            "curr": order["curr"],
            "modified": local_naive(stamp),
            "row_version": 1,
            "origin": origin,
            "lines": [{"pos": pos, "qty": quantity(qty), "prc": prices[pos]} for pos, qty in lines],
        }
        self.invoices.put(document)
        self._after_posting(doc_no, stamp)
        return document

    def void_invoice(self, number: str, when: float, stamp: float) -> Document:
        """Take an invoice back."""
        document = self.invoices.edit(number)
        document["stat"] = "V"
        document["voided"] = local_naive(when)
        self.touch(self.invoices, document, stamp)
        self._after_posting(document["doc_no"], stamp)
        return document

    def post_movement(
        self,
        item_no: str,
        whs: str,
        mv_type: str,
        qty: Decimal,
        ref: str,
        reason: str | None,
        when: float,
        stamp: float,
        origin: str | None = None,
    ) -> Document:
        """A line of the stock ledger, and the balance that it changes."""
        document = {
            "mv_no": self.numbers.next_int("movement"),
            "item_no": item_no,
            "whs": whs,
            "mv_type": mv_type,
            "qty": quantity(qty),
            "ref": ref,
            "reason": reason,
            "posted": local_naive(when),
            "modified": local_naive(stamp),
            "origin": origin,
        }
        self.movements.put(document)
        self.shift_balance(item_no, whs, qty, "qblk" if mv_type == BLOCKED else "qoh")
        return document

    def shift_balance(self, item_no: str, whs: str, qty: Decimal, field: str = "qoh") -> None:
        """Move the quantity on hand, or how much is blocked (``qblk``) or on order (``qoo``)."""
        balance = self.stock.edit(f"{item_no}@{whs}")
        balance[field] = quantity(Decimal(balance[field]) + qty)
        self.stock.put(balance)

    def posted_quantities(self, table: Table, doc_no: str, posted: str = "P") -> dict[int, Decimal]:
        """Quantity by position over an order's posted fulfilments or invoices."""
        totals: dict[int, Decimal] = {}
        for document in table.by("doc_no", doc_no):
            if document["stat"] == posted:
                for line in document["lines"]:
                    pos = line["pos"]
                    totals[pos] = totals.get(pos, Decimal(0)) + Decimal(line["qty"])
        return totals

    def _after_posting(self, doc_no: str, stamp: float) -> None:
        order = self.orders.edit(doc_no)
        self._restate(order, stamp)
        self.touch(self.orders, order, stamp)

    def _restate(self, order: Document, when: float) -> None:
        """Derive the status codes of lines and header from what was posted."""
        fulfilled = self.posted_quantities(self.fulfilments, order["doc_no"])
        invoiced = self.posted_quantities(self.invoices, order["doc_no"])
        base = RELEASED if order["released"] else BOOKED if order["booked"] else OPEN
        nothing = Decimal(0)
        states = []
        for line in order["lines"]:
            pos = line["pos"]
            count(line, fulfilled.get(pos, nothing))
            if line["cancelled"] is not None:
                line["stat"] = CANCELLED
                continue
            issued, billed = fulfilled.get(pos, nothing), invoiced.get(pos, nothing)
            if billed and billed >= issued:
                line["stat"] = INVOICED
            elif issued >= Decimal(line["ord_qty"]):
                line["stat"] = FULFILLED
            else:
                line["stat"] = base
            states.append(line["stat"])
        order["stat"] = min(states) if states else CANCELLED
        order["cancelled"] = None if states else order["cancelled"] or local_naive(when)

    # Events.

    def on_item_created(self, data: dict[str, Any], when: float, stamp: float) -> None:
        item_no = erp_item(data["item"])
        self.items.put(
            {
                "item_no": item_no,
                "gtin": data["gtin"],
                "descr": data["title"],
                "base_um": "EA",
                "case_qty": data["case_pack"],
                "wt_g": data["weight"],
                "sts": "A",
                "list_prc": price(data["price"]),
                "curr": "USD",
                "modified": local_naive(stamp),
                "row_version": 1,
            }
        )
        for location in data["locations"]:
            if erp_system(location) != self.system:
                continue
            self.stock.put(
                {
                    "item_no": item_no,
                    "whs": ERP_WAREHOUSE[location],
                    "qoh": quantity(0),
                    "qblk": quantity(0),
                    "qoo": quantity(0),
                    "rop": None,
                }
            )

    def on_item_repriced(self, data: dict[str, Any], when: float, stamp: float) -> None:
        item = self.items.edit(erp_item(data["item"]))
        item["list_prc"] = price(data["price"])
        self.touch(self.items, item, stamp)

    def on_item_blocked(self, data: dict[str, Any], when: float, stamp: float) -> None:
        item = self.items.edit(erp_item(data["item"]))
        item["sts"] = "B"
        self.touch(self.items, item, stamp)

    def on_order_accepted(self, data: dict[str, Any], when: float, stamp: float) -> None:
        header = {
            "ext_ref": data["order"],
            "cust_no": data["customer"][1:],
            "cust_po": data["po"],
            "curr": "USD",
            "ship_to": data.get("ship_to", ship_to(data["po"])),
            "held": data.get("held", False),
        }
        lines = [
            {
                "ext_line": line["line"],
                "item_no": erp_item(line["item"]),
                "ord_qty": quantity(line["qty"]),
                "prc": price(line["price"]),
                "lacking": line["line"] in data.get("backordered", ()),
            }
            for line in data["lines"]
        ]
        self.book_order(data["doc_no"], header, lines, when, stamp)

    def on_credit_checked(self, data: dict[str, Any], when: float, stamp: float) -> None:
        order = self.orders.edit(data["doc_no"])
        order["validated"] = local_naive(when)
        self._book(order, when, stamp)

    def on_hold_bypassed(self, data: dict[str, Any], when: float, stamp: float) -> None:
        """Somebody books it as if its credit had been checked."""
        self._book(self.orders.edit(data["doc_no"]), when, stamp)

    def _book(self, order: Document, when: float, stamp: float) -> None:
        order["booked"] = local_naive(when)
        self._restate(order, when)
        self.touch(self.orders, order, stamp)

    def on_order_released(self, data: dict[str, Any], when: float, stamp: float) -> None:
        order = self.orders.edit(data["doc_no"])
        order["released"] = local_naive(when)
        order["whs"] = ERP_WAREHOUSE[data["location"]]
        for line in order["lines"]:
            if line["cancelled"] is None:
                line["stat"] = RELEASED
                # Only what is there is released.
                line["bo_qty"] = quantity(0)
                count(line, Decimal(line["shp_qty"]))
        order["stat"] = RELEASED
        self.touch(self.orders, order, stamp)

    def on_lines_bought(self, data: dict[str, Any], when: float, stamp: float) -> None:
        """A purchase order is raised for lines that its supplier is to ship."""
        order = self.orders.edit(data["doc_no"])
        for number, (purchase, position) in data["lines"].items():
            line = order["lines"][int(number) - 1]
            line |= {"po_no": purchase, "po_line": position, "po_raised": local_naive(when)}
        self.touch(self.orders, order, stamp)

    def on_lines_cancelled(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self.cancel_lines(data["doc_no"], [number * 10 for number in data["lines"]], when, stamp)

    def on_line_repriced(self, data: dict[str, Any], when: float, stamp: float) -> None:
        order = self.orders.edit(data["doc_no"])
        order["lines"][data["line"] - 1]["prc"] = price(data["price"])
        self.touch(self.orders, order, stamp)

    def on_line_quantity_changed(self, data: dict[str, Any], when: float, stamp: float) -> None:
        order = self.orders.edit(data["doc_no"])
        line = order["lines"][data["line"] - 1]
        line["ord_qty"] = quantity(data["qty"])
        count(line, Decimal(line["shp_qty"]))
        self.touch(self.orders, order, stamp)

    def on_line_part_lost(self, data: dict[str, Any], when: float, stamp: float) -> None:
        """A line is split, and a part of it is in none of the parts."""
        order = self.orders.edit(data["doc_no"])
        line = order["lines"][data["line"] - 1]
        line["open_qty"] = quantity(Decimal(line["open_qty"]) - data["qty"])
        self.touch(self.orders, order, stamp)

    def on_line_substituted(self, data: dict[str, Any], when: float, stamp: float) -> None:
        order = self.orders.edit(data["doc_no"])
        order["lines"][data["line"] - 1]["item_no"] = erp_item(data["item"])
        self.touch(self.orders, order, stamp)

    def on_shipped(self, data: dict[str, Any], when: float, stamp: float) -> None:
        lines = [(line["line"] * 10, Decimal(line["qty"])) for line in data["lines"]]
        whs = ERP_WAREHOUSE[data["location"]] if data["location"] else None
        self.post_fulfilment(
            data["fulfilment"], data["doc_no"], data["shipment"], whs, lines, when, stamp
        )

    def on_fulfilment_reversed(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self.reverse_fulfilment(data["fulfilment"], data.get("reason"), when, stamp)

    def on_invoiced(self, data: dict[str, Any], when: float, stamp: float) -> None:
        lines = [(line["line"] * 10, Decimal(line["qty"])) for line in data["lines"]]
        self.post_invoice(
            data["invoice"],
            data["doc_no"],
            data["shipment"],
            lines,
            when,
            stamp,
            cents_off=data.get("cents_off", 0),
            dated=data.get("dated"),
        )

    def on_invoice_voided(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self.void_invoice(data["invoice"], when, stamp)

    def on_stock_received(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self._move(data, "101", None, when, stamp)

    def on_stock_adjusted(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self._move(data, "701", data["reason"], when, stamp)

    def on_stock_drifted(self, data: dict[str, Any], when: float, stamp: float) -> None:
        whs = ERP_WAREHOUSE[data["location"]]
        field = data.get("field", "qoh")
        self.shift_balance(erp_item(data["item"]), whs, Decimal(data["qty"]), field)

    def on_stock_miscounted(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self.on_stock_adjusted(data, when, stamp)

    def on_stock_blocked(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self._move(data, BLOCKED, "DMG", when, stamp)

    def on_stock_revalued(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self._move({**data, "qty": 0}, REVALUED, None, when, stamp)

    def _move(
        self, data: dict[str, Any], mv_type: str, reason: str | None, when: float, stamp: float
    ) -> None:
        whs = ERP_WAREHOUSE[data["location"]]
        item_no = erp_item(data["item"])
        qty = Decimal(data["qty"])
        self.post_movement(item_no, whs, mv_type, qty, data["ref"], reason, when, stamp)
