"""Corrections of sales: enter, cancel, change a line, as long as nothing was released."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.base import CorrectionRequest, Outcome, TargetState
from connectors.corrections import (
    Action,
    ChangedField,
    already_undone,
    conflict,
    decimal,
    fixed,
    missing,
    whole,
)
from connectors.tryton.desk import Desk, as_float, done, refuse
from connectors.tryton.documents import STATE
from connectors.tryton.wire import Row

SALE, LINE, LOG = "sale.sale", "sale.line", "ir.model.log"
DRAFT, QUOTATION, CANCELLED = "draft", "quotation", "cancelled"
# From confirmation on Tryton makes shipments; then a sale is no longer changed from outside.
OPEN = (DRAFT, QUOTATION)
PRICE_PLACES = 4
QUANTITY_PLACES = 4
# In the note of a line that was cancelled, so that an undo finds what it held.
WAS = "was"

QUANTITY = ChangedField("quantity", "quantity", lambda value: fixed(value, QUANTITY_PLACES))
PRICE = ChangedField("unit_price", "unit_price", lambda value: fixed(value, PRICE_PLACES))


class Sales:
    """A sale that we entered holds our key as its description."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        warehouse = desk.system.options.get("warehouse")
        self._default_warehouse = None if warehouse is None else str(warehouse)

    def actions(self) -> Mapping[str, Action]:
        return {
            "create_order": Action(self._read_created, self._create, self._cancel_created),
            "cancel_order": Action(self._read_cancelled, self._cancel, self._reopen),
            "cancel_line": Action(self._read_dropped, self._drop, self._restore),
            "update_quantity": self._line_change(QUANTITY),
            "update_price": self._line_change(PRICE),
        }

    # ---- enter -------------------------------------------------------------------------------

    def _under_reference(self, request: CorrectionRequest) -> list[Row]:
        reference = str(request.payload["order_number"])
        fields = ("number", "state", "description")
        return self._desk.find(SALE, [["reference", "=", reference]], *fields)

    def _read_created(self, request: CorrectionRequest) -> TargetState:
        live = [sale for sale in self._under_reference(request) if sale["state"] != CANCELLED]
        own = [sale for sale in live if sale["description"] == request.idempotency_key]
        # Ours, created and not quoted yet: the rest of the work is to be done.
        half = [sale for sale in own if sale["state"] == DRAFT]
        shown = own or live
        return TargetState(
            applied=bool(live) and not half,
            precondition_met=not live or bool(half),
            applied_by_key=bool(own) if live and not half else None,
            target_record_id=shown[0]["number"] if shown else None,
            observed={"sales": [sale["number"] or sale["id"] for sale in live]},
            begun=bool(half),
        )

    def _create(self, request: CorrectionRequest) -> Outcome:
        key = request.idempotency_key
        live = [sale for sale in self._under_reference(request) if sale["state"] != CANCELLED]
        for sale in live:
            if sale["description"] != key:
                return conflict(f"sale {sale['number'] or sale['id']} has this reference by now")
        sale_id = live[0]["id"] if live else self._desk.create(SALE, self._values(request))
        if not live or live[0]["state"] == DRAFT:
            self._desk.click(SALE, sale_id, "quote")
        return done("created", self._number(sale_id))

    def _values(self, request: CorrectionRequest) -> dict[str, Any]:
        payload = request.payload
        lines = payload["lines"]
        products = self._desk.products([str(line["target_item"]) for line in lines])
        party = self._desk.party(str(payload["customer_ref"]))
        currency = str(payload["currency"])
        money = self._desk.one(
            "currency.currency", [["code", "=", currency]], f"currency {currency}"
        )
        values: dict[str, Any] = {
            "reference": str(payload["order_number"]),
            "description": request.idempotency_key,
            "party": party["id"],
            "invoice_address": party["address"],
            "shipment_address": party["address"],
            "currency": money["id"],
            "invoice_method": "fulfillment",
            "shipment_method": "order",
            "lines": [
                (
                    "create",
                    [
                        {
                            "sequence": whole(line["line_no"]),
                            "product": products[str(line["target_item"])]["id"],
                            "unit": products[str(line["target_item"])]["template.default_uom.id"],
                            "quantity": as_float(Decimal(fixed(line["quantity"], QUANTITY_PLACES))),
                            "unit_price": Decimal(fixed(line["unit_price"], PRICE_PLACES)),
                        }
                        for line in lines
                    ],
                )
            ],
        }
        if self._default_warehouse is not None:
            values["warehouse"] = self._desk.warehouse(self._default_warehouse)["id"]
        return values

    def _number(self, sale_id: int) -> str:
        return str(self._desk.one(SALE, [["id", "=", sale_id]], "sale", "number")["number"])

    def _cancel_created(self, request: CorrectionRequest, record_id: str | None) -> Outcome:
        own = [
            sale
            for sale in self._under_reference(request)
            if sale["description"] == request.idempotency_key or sale["number"] == record_id
        ]
        if not own:
            return conflict("no sale of this correction exists")
        return self._end(own[0])

    # ---- cancel ------------------------------------------------------------------------------

    def _sale(self, request: CorrectionRequest) -> Row:
        number = str(request.payload["order_record"])
        domain = [["number", "=", number]]
        return self._desk.one(SALE, domain, f"sale {number}", "number", "state")

    def _read_cancelled(self, request: CorrectionRequest) -> TargetState:
        sale = self._sale(request)
        return TargetState(
            applied=sale["state"] == CANCELLED,
            precondition_met=sale["state"] in OPEN,
            target_record_id=sale["number"],
            observed={"state": sale["state"]},
        )

    def _cancel(self, request: CorrectionRequest) -> Outcome:
        sale = self._sale(request)
        if sale["state"] not in OPEN:
            return _too_late(sale)
        return self._end(sale)

    def _end(self, sale: Row) -> Outcome:
        if sale["state"] == CANCELLED:
            return already_undone(sale["number"])
        if sale["state"] not in OPEN:
            return _too_late(sale)
        self._desk.click(SALE, sale["id"], "cancel")
        return done("cancelled", sale["number"])

    def _reopen(self, request: CorrectionRequest, _record_id: str | None) -> Outcome:
        sale = self._sale(request)
        if sale["state"] == CANCELLED:
            self._desk.click(SALE, sale["id"], "draft")
            sale = self._sale(request)
        elif not self._is_half(sale):
            return already_undone(sale["number"])
        if self._is_half(sale):
            self._desk.click(SALE, sale["id"], "quote")
        return done("reopened", sale["number"])

    def _is_half(self, sale: Row) -> bool:
        """Whether a draft is our half-done work: we took it back from a quotation and were cut off
        before it was one again. A draft that a person made stays one."""
        if sale["state"] != DRAFT:
            return False
        log = self._desk.find(
            LOG,
            [["resource", "=", f"{SALE},{sale['id']}"], ["event", "=", "transition"]],
            *("target", "user.login"),
        )
        # A cancelled sale was a quotation if it was one before.
        path = [row for row in log if row["target"] != STATE + CANCELLED]
        return [row["target"] for row in path[-2:]] == [STATE + QUOTATION, STATE + DRAFT] and (
            path[-1]["user.login"] == self._desk.session.user
        )

    # ---- lines -------------------------------------------------------------------------------

    def _line(self, request: CorrectionRequest, sale: Row) -> Row:
        number = whole(request.payload["line_record"])
        lines = self._desk.find(
            LINE,
            [["sale", "=", sale["id"]], ["type", "=", "line"], ["sequence", "=", number]],
            *("sequence", "quantity", "unit_price", "note"),
        )
        if not lines:
            raise missing(self._desk.system.name, f"line {number} of sale {sale['number']}")
        if len(lines) > 1:
            raise refuse("ambiguous", f"sale {sale['number']} has several lines {number}")
        return lines[0]

    def _change(self, sale: Row, line: Row, values: dict[str, Any], code: str) -> Outcome:
        """A quotation is not changed as it is: back to draft, change, quote again. Each step may
        be repeated, so that what was cut off is finished. A draft is changed and stays one."""
        quoted = sale["state"] == QUOTATION or self._is_half(sale)
        if sale["state"] == QUOTATION:
            self._desk.click(SALE, sale["id"], "draft")
        self._desk.write(LINE, line, values)
        if quoted:
            self._desk.click(SALE, sale["id"], "quote")
        return done(code, f"{sale['number']}/{line['sequence']}")

    def _read_dropped(self, request: CorrectionRequest) -> TargetState:
        sale = self._sale(request)
        line = self._line(request, sale)
        gone, half = decimal(line["quantity"]) == 0, self._is_half(sale)
        return TargetState(
            applied=sale["state"] == CANCELLED or (gone and not half),
            precondition_met=sale["state"] in OPEN,
            applied_by_key=(
                str(line["note"] or "").startswith(request.idempotency_key) if gone else None
            ),
            target_record_id=f"{sale['number']}/{line['sequence']}",
            observed={"state": sale["state"], "quantity": line["quantity"]},
            begun=half,
        )

    def _drop(self, request: CorrectionRequest) -> Outcome:
        sale = self._sale(request)
        if sale["state"] not in OPEN:
            return _too_late(sale)
        line = self._line(request, sale)
        held = decimal(line["quantity"])
        values: dict[str, Any] = {"quantity": 0.0}
        if held != 0:
            values["note"] = f"{request.idempotency_key} {WAS} {held}"
        return self._change(sale, line, values, "line_cancelled")

    def _restore(self, request: CorrectionRequest, record_id: str | None) -> Outcome:
        sale = self._sale(request)
        line = self._line(request, sale)
        if decimal(line["quantity"]) != 0:
            if not self._is_half(sale):
                return already_undone(record_id)
            self._desk.click(SALE, sale["id"], "quote")
            return done("line_reopened", record_id)
        key, _, was = str(line["note"] or "").partition(f" {WAS} ")
        if key != request.idempotency_key or not was:
            return conflict(f"the line holds nothing, and not by {request.idempotency_key}")
        if sale["state"] not in OPEN:
            return _too_late(sale)
        values = {"quantity": as_float(decimal(was)), "note": None}
        return self._change(sale, line, values, "line_reopened")

    def _line_change(self, field: ChangedField) -> Action:
        def read(request: CorrectionRequest) -> TargetState:
            sale = self._sale(request)
            line = self._line(request, sale)
            held = decimal(line[field.dialect])
            new = held == decimal(request.payload[field.name])
            old = held == decimal(request.payload[field.old_name])
            half = new and self._is_half(sale)
            return TargetState(
                applied=new and not half,
                precondition_met=half or (old and sale["state"] in OPEN),
                target_record_id=f"{sale['number']}/{line['sequence']}",
                observed={field.dialect: str(held), "state": sale["state"]},
                begun=half,
            )

        def put(request: CorrectionRequest, expected: Any, wanted: Any) -> Outcome:
            sale = self._sale(request)
            line = self._line(request, sale)
            held = decimal(line[field.dialect])
            if sale["state"] not in OPEN:
                return _too_late(sale)
            if held not in (decimal(expected), decimal(wanted)):
                record = f"{sale['number']}/{line['sequence']}"
                return conflict(f"{record} holds {field.dialect} {held}, not {expected}")
            exact = Decimal(field.write(wanted))
            value = as_float(exact) if field is QUANTITY else exact
            return self._change(sale, line, {field.dialect: value}, "changed")

        def apply(request: CorrectionRequest) -> Outcome:
            return put(request, request.payload[field.old_name], request.payload[field.name])

        def undo(request: CorrectionRequest, record_id: str | None) -> Outcome:
            sale = self._sale(request)
            held = decimal(self._line(request, sale)[field.dialect])
            if held == decimal(request.payload[field.old_name]) and not self._is_half(sale):
                return already_undone(record_id)
            return put(request, request.payload[field.name], request.payload[field.old_name])

        return Action(read, apply, undo)


def _too_late(sale: Row) -> Outcome:
    return conflict(
        f"sale {sale['number']} is in state {sale['state']}: Tryton changes a sale only until it "
        f"is confirmed; cancel its shipment and treat the exception there"
    )
