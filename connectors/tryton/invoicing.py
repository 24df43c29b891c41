"""Corrections of customer invoices: post what Tryton drafted, credit what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.base import CorrectionRequest, Outcome, TargetState
from connectors.corrections import Action, already_undone, conflict, decimal, undo_key, whole
from connectors.tryton.desk import Desk, done, refuse
from connectors.tryton.documents import SHIPMENT
from connectors.tryton.wire import Row

INVOICE, LINE = "account.invoice", "account.invoice.line"
POSTED, PAID, CANCELLED, DRAFT = "posted", "paid", "cancelled", "draft"
CREDIT_WIZARD = "account.invoice.credit"


class Invoices:
    """An invoice that we posted holds our key as its description."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def actions(self) -> Mapping[str, Action]:
        return {
            "create_invoice": Action(self._read_created, self._post, self._credit_created),
            "void_invoice": Action(self._read_voided, self._void, self._issue_again),
        }

    # ---- post ----------------------------------------------------------------------------------

    def _of_shipment(self, request: CorrectionRequest) -> list[Row]:
        """Customer invoices of the sale that charge the shipment, drafts too, the eldest first."""
        rows = self._desk.find(
            INVOICE,
            [
                ["type", "=", "out"],
                [
                    "lines.stock_moves.shipment.reference",
                    "=",
                    str(request.payload["document"]),
                    SHIPMENT,
                ],
                [
                    "lines.origin.sale.number",
                    "=",
                    str(request.payload["order_record"]),
                    "sale.line",
                ],
            ],
            *("number", "state", "description"),
        )
        return list({row["id"]: row for row in rows}.values())

    def _read_created(self, request: CorrectionRequest) -> TargetState:
        live = [row for row in self._of_shipment(request) if row["state"] in (POSTED, PAID)]
        own = [row for row in live if row["description"] == request.idempotency_key]
        shown = own or live
        return TargetState(
            applied=bool(live),
            precondition_met=not live,
            applied_by_key=bool(own) if live else None,
            target_record_id=shown[0]["number"] if shown else None,
            observed={"invoices": [row["number"] for row in live]},
        )

    def _post(self, request: CorrectionRequest) -> Outcome:
        found = self._of_shipment(request)
        for row in found:
            if row["state"] in (POSTED, PAID):
                return conflict(f"invoice {row['number']} charges this shipment by now")
        drafts = [row for row in found if row["state"] == DRAFT and self._fits(row, request)]
        if len(drafts) != 1:
            raise refuse(
                "no_draft_invoice",
                f"Tryton has {len(drafts)} draft invoices that charge exactly shipment "
                f"{request.payload['document']} of sale {request.payload['order_record']}: it "
                f"makes one when the shipment is done, so a person must see what became of it",
            )
        draft = drafts[0]
        if draft["description"] != request.idempotency_key:
            self._desk.write(INVOICE, draft, {"description": request.idempotency_key})
        self._desk.click(INVOICE, draft["id"], "post")
        return done("posted", self._number(draft["id"]))

    def _fits(self, draft: Row, request: CorrectionRequest) -> bool:
        """Whether a draft charges just the lines and quantities that were shipped."""
        lines = self._desk.find(
            LINE, [["invoice", "=", draft["id"]], ["type", "=", "line"]], "quantity", "origin"
        )
        sale_lines = {
            f"sale.line,{row['id']}": row["sequence"]
            for row in self._desk.find(
                "sale.line",
                [["sale.number", "=", str(request.payload["order_record"])]],
                "sequence",
            )
        }
        charged: dict[Any, Decimal] = {}
        for line in lines:
            number = sale_lines.get(str(line["origin"]))
            charged[number] = charged.get(number, Decimal(0)) + decimal(line["quantity"])
        shipped: dict[Any, Decimal] = {}
        for wanted in request.payload["lines"]:
            number = whole(wanted["line_record"])
            shipped[number] = shipped.get(number, Decimal(0)) + decimal(wanted["quantity"])
        return charged == shipped

    def _number(self, invoice_id: int) -> str:
        row = self._desk.one(INVOICE, [["id", "=", invoice_id]], "invoice", "number")
        return str(row["number"])

    def _credit_created(self, request: CorrectionRequest, record_id: str | None) -> Outcome:
        own = [
            row
            for row in self._of_shipment(request)
            if row["description"] == request.idempotency_key or row["number"] == record_id
        ]
        if not own:
            return conflict("no invoice of this correction exists")
        if own[0]["state"] == CANCELLED:
            return already_undone(own[0]["number"])
        return self._credit(own[0])

    # ---- credit --------------------------------------------------------------------------------

    def _invoice(self, request: CorrectionRequest) -> Row:
        number = str(request.payload["invoice_record"])
        return self._desk.one(
            INVOICE,
            [["number", "=", number], ["type", "=", "out"]],
            f"invoice {number}",
            *("number", "state", "description"),
        )

    def _read_voided(self, request: CorrectionRequest) -> TargetState:
        invoice = self._invoice(request)
        return TargetState(
            applied=invoice["state"] == CANCELLED,
            precondition_met=invoice["state"] == POSTED,
            target_record_id=invoice["number"],
            observed={"state": invoice["state"]},
        )

    def _void(self, request: CorrectionRequest) -> Outcome:
        return self._credit(self._invoice(request))

    def _credit(self, invoice: Row) -> Outcome:
        """A credit note of the whole, reconciled with the invoice, which cancels it."""
        if invoice["state"] != POSTED:
            return conflict(
                f"invoice {invoice['number']} is {invoice['state']}: only one that is posted and "
                f"not paid can be credited as a whole"
            )
        self._desk.session.wizard(
            CREDIT_WIZARD,
            [("start", {}), ("credit", {"start": {"with_refund": True}})],
            INVOICE,
            invoice["id"],
        )
        return done("credited", invoice["number"])

    def _issue_again(self, request: CorrectionRequest, _record_id: str | None) -> Outcome:
        """A cancelled invoice can't be revived: the same lines are charged again."""
        invoice = self._invoice(request)
        if invoice["state"] != CANCELLED:
            return already_undone(invoice["number"])
        key = undo_key(request)
        begun = self._desk.find(
            INVOICE, [["description", "=", key], ["type", "=", "out"]], "number", "state"
        )
        if begun and begun[0]["state"] != DRAFT:
            return already_undone(begun[0]["number"])
        again = begun[0]["id"] if begun else self._desk.create(INVOICE, self._copy(invoice, key))
        self._desk.click(INVOICE, again, "post")
        return done("issued_again", self._number(again))

    def _copy(self, invoice: Row, key: str) -> dict[str, Any]:
        kept = ("party", "invoice_address", "account", "journal", "currency", "payment_term")
        header = self._desk.one(INVOICE, [["id", "=", invoice["id"]]], "invoice", *kept)
        values = ("product", "unit", "account", "origin")
        lines = self._desk.find(
            LINE,
            [["invoice", "=", invoice["id"]], ["type", "=", "line"]],
            *(*values, "quantity", "unit_price", "stock_moves", "taxes"),
        )
        return {
            "type": "out",
            "description": key,
            **{name: header[name] for name in kept},
            "lines": [
                (
                    "create",
                    [
                        {
                            **{name: line[name] for name in values},
                            "type": "line",
                            "quantity": float(line["quantity"]),
                            "unit_price": decimal(line["unit_price"]),
                            "stock_moves": [("add", line["stock_moves"])],
                            "taxes": [("add", line["taxes"])],
                        }
                        for line in lines
                    ],
                )
            ],
        }
