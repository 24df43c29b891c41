"""The ERP on the wire: API key, snake_case, numbers as texts, naive local times, page numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from sandbox import clock
from sandbox.distributor import Distributor
from sandbox.http import applied, is_silent, json_response, new_app, noted, page_texts
from sandbox.problems import ProblemError
from sandbox.tables import Document, Table, to_json
from sandbox.views.erp import CANCELLED, RELEASED, ErpView, count, quantity

Quantity = Annotated[Decimal, Field(gt=0, decimal_places=3, max_digits=15)]
SignedQuantity = Annotated[Decimal, Field(decimal_places=3, max_digits=15)]
MOST_IN_A_BATCH = 100
Price = Annotated[Decimal, Field(ge=0, decimal_places=4, max_digits=15)]


def filters_of(table: Table) -> tuple[str, ...]:
    """The fields by which documents are found; the first one given must be one of them."""
    identity = table.identity if len(table.identity) == 1 else ()
    return (*identity, *table.indexes)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewOrderLine(_Body):
    ext_line: Annotated[int, Field(gt=0)]
    item_no: str
    ord_qty: Quantity
    um: str = "EA"
    prc: Price


class NewOrder(_Body):
    ext_ref: Annotated[str, Field(min_length=1)]
    cust_no: Annotated[str, Field(min_length=1)]
    cust_po: str | None = None
    curr: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    lines: Annotated[list[NewOrderLine], Field(min_length=1)]


class Cancellation(_Body):
    row_version: int | None = None
    reason: str | None = None
    lines: Annotated[list[int], Field(min_length=1)] | None = None


class LineChange(_Body):
    row_version: int | None = None
    ord_qty: Quantity | None = None
    prc: Price | None = None


class PostedLine(_Body):
    pos: int
    qty: Quantity


class NewFulfilment(_Body):
    doc_no: str
    ship_ref: Annotated[str, Field(min_length=1)]
    whs: str
    lines: Annotated[list[PostedLine], Field(min_length=1)]


class FulfilmentChange(_Body):
    row_version: int | None = None
    lines: Annotated[list[PostedLine], Field(min_length=1)]


class Reversal(_Body):
    row_version: int | None = None
    reason: str | None = None


class NewInvoice(_Body):
    doc_no: str
    ship_ref: Annotated[str, Field(min_length=1)]
    lines: Annotated[list[PostedLine], Field(min_length=1)]


class NewCredit(_Body):
    doc_no: str
    rma_no: Annotated[str, Field(min_length=1)]
    lines: Annotated[list[PostedLine], Field(min_length=1)]


class NewMovement(_Body):
    item_no: str
    whs: str
    mv_type: Annotated[str, Field(pattern=r"^(601|602|101|701|351|352|653)$")]
    qty: SignedQuantity
    ref: Annotated[str, Field(min_length=1)]
    reason: str | None = None
    expected_qoh: SignedQuantity | None = None


class BatchedMovement(NewMovement):
    key: Annotated[str, Field(min_length=1)]


class MovementBatch(_Body):
    items: Annotated[list[BatchedMovement], Field(min_length=1, max_length=MOST_IN_A_BATCH)]


def build_app(distributor: Distributor) -> FastAPI:
    """The ERP of a distributor."""
    app = new_app("demo_erp")
    view = distributor.erp

    @app.get("/api/{entity}")
    async def list_entity(
        request: Request,
        entity: str,
        page: Annotated[int, Query(ge=1)] = 1,
        per_page: Annotated[int, Query(ge=1, le=1000)] = 500,
        modified_from: str | None = None,
    ) -> Response:
        """A page by number; with a filter, all that match on one page."""
        if entity not in view.tables:
            known = ", ".join(view.tables)
            raise ProblemError(404, f"there is no entity {entity}; there are {known}")
        table = view.tables[entity]
        skip = (page - 1) * per_page
        filters = {
            name: value
            for name, value in request.query_params.items()
            if name not in ("page", "per_page", "modified_from")
        }
        if filters:
            texts = _filtered(table, filters)
            total, texts = len(texts), texts[skip : skip + per_page]
        elif entity == "stock":
            texts, total = _snapshot(view, skip, per_page), len(table)
        else:
            texts, total = table.page_from(_checked_local(modified_from), skip, per_page)
        if not filters:
            texts = page_texts(request, entity, texts)
            total = 0 if is_silent(request) else total
        pages = max(1, -(-total // per_page))
        return json_response(
            f'{{"data":[{",".join(texts)}],"page":{page},"pages":{pages},"total":{total}}}'
        )

    @app.post("/api/sales_orders")
    async def create_order(request: Request, new: NewOrder) -> Response:
        if len({line.ext_line for line in new.lines}) < len(new.lines):
            raise ProblemError(422, "an external line comes twice")
        for line in new.lines:
            if line.item_no not in view.items:
                raise ProblemError(422, f"there is no item {line.item_no}")
            if line.um != "EA":
                raise ProblemError(422, f"{line.item_no} is kept in EA, not in {line.um}")
        now = clock.now()
        header = new.model_dump(exclude={"lines"})
        header["origin"] = request.scope["idempotency_key"]
        lines = [
            {
                "ext_line": line.ext_line,
                "item_no": line.item_no,
                "ord_qty": quantity(line.ord_qty),
                "prc": f"{line.prc:.4f}",
            }
            for line in new.lines
        ]
        document = view.book_order(view.numbers.next("extra_doc"), header, lines, now, now)
        return applied(request, 201, document["doc_no"], None, document)

    @app.post("/api/sales_orders/{doc_no}/cancel")
    async def cancel_order(request: Request, doc_no: str, wanted: Cancellation) -> Response:
        before = _current(view.orders, doc_no, wanted.row_version, "order")
        lines = _lines_of(before, wanted.lines)
        if before["stat"] == CANCELLED:
            raise ProblemError(422, f"order {doc_no} is cancelled already")
        posted = view.posted_quantities(view.fulfilments, doc_no)
        billed = view.posted_quantities(view.invoices, doc_no)
        for line in lines:
            if wanted.lines is not None and line["stat"] == CANCELLED:
                raise ProblemError(422, f"line {line['pos']} is cancelled already")
            if posted.get(line["pos"]) or billed.get(line["pos"]):
                raise ProblemError(422, f"line {line['pos']} is fulfilled or invoiced")
        document = view.cancel_lines(doc_no, wanted.lines, *(clock.now(),) * 2)
        return applied(request, 200, doc_no, before, document)

    @app.post("/api/sales_orders/{doc_no}/reopen")
    async def reopen_order(request: Request, doc_no: str, wanted: Cancellation) -> Response:
        before = _current(view.orders, doc_no, wanted.row_version, "order")
        if all(line["stat"] != CANCELLED for line in _lines_of(before, wanted.lines)):
            raise ProblemError(422, f"nothing of order {doc_no} is cancelled")
        document = view.reopen_lines(doc_no, wanted.lines, clock.now())
        return applied(request, 200, doc_no, before, document)

    @app.patch("/api/sales_orders/{doc_no}/lines/{pos}")
    async def change_line(request: Request, doc_no: str, pos: int, change: LineChange) -> Response:
        before = _current(view.orders, doc_no, change.row_version, "order")
        document = view.orders.edit(doc_no)
        line = next((line for line in document["lines"] if line["pos"] == pos), None)
        if line is None:
            raise ProblemError(404, f"order {doc_no} has no line {pos}")
        if change.ord_qty is None and change.prc is None:
            raise ProblemError(422, "the change is empty")
        if line["stat"] >= RELEASED:
            raise ProblemError(422, f"line {pos} has status {line['stat']} and can't change")
        if change.ord_qty is not None:
            line["ord_qty"] = quantity(change.ord_qty)
            count(line, Decimal(line["shp_qty"]))
        if change.prc is not None:
            line["prc"] = f"{change.prc:.4f}"
        view.touch(view.orders, document, clock.now())
        return applied(request, 200, f"{doc_no}/{pos}", before, document)

    @app.post("/api/fulfilments")
    async def create_fulfilment(request: Request, new: NewFulfilment) -> Response:
        order = _live_order(view, new.doc_no)
        if order["released"] is None:
            raise ProblemError(422, f"order {new.doc_no} is not released")
        if any(f"{line['item_no']}@{new.whs}" not in view.stock for line in order["lines"]):
            raise ProblemError(422, f"there is no warehouse {new.whs}")
        _check_posting(order, new.lines, view.posted_quantities(view.fulfilments, new.doc_no))
        now = clock.now()
        document = view.post_fulfilment(
            view.numbers.next("fulfilment"),
            new.doc_no,
            new.ship_ref,
            new.whs,
            [(line.pos, line.qty) for line in new.lines],
            now,
            now,
            request.scope["idempotency_key"],
        )
        return applied(request, 201, document["ful_no"], None, document)

    @app.patch("/api/fulfilments/{ful_no}")
    async def change_fulfilment(
        request: Request, ful_no: str, change: FulfilmentChange
    ) -> Response:
        before = _current(view.fulfilments, ful_no, change.row_version, "fulfilment")
        if before["stat"] != "P":
            raise ProblemError(422, f"fulfilment {ful_no} is reversed")
        order = _live_order(view, before["doc_no"])
        held = {line["pos"]: Decimal(line["qty"]) for line in before["lines"]}
        posted = view.posted_quantities(view.fulfilments, before["doc_no"])
        for line in change.lines:
            if line.pos not in held:
                raise ProblemError(422, f"fulfilment {ful_no} has no position {line.pos}")
        others = {pos: posted[pos] - held[pos] for pos in held}
        _check_posting(order, change.lines, others)
        document = view.adjust_fulfilment(
            ful_no,
            {line.pos: line.qty for line in change.lines},
            clock.now(),
            request.scope["idempotency_key"],
        )
        return applied(request, 200, ful_no, before, document)

    @app.post("/api/fulfilments/{ful_no}/reverse")
    async def reverse_fulfilment(request: Request, ful_no: str, wanted: Reversal) -> Response:
        before = _current(view.fulfilments, ful_no, wanted.row_version, "fulfilment")
        if before["stat"] != "P":
            raise ProblemError(422, f"fulfilment {ful_no} is reversed already")
        now = clock.now()
        document = view.reverse_fulfilment(
            ful_no, wanted.reason, now, now, request.scope["idempotency_key"]
        )
        return applied(request, 200, ful_no, before, document)

    @app.post("/api/invoices")
    async def create_invoice(request: Request, new: NewInvoice) -> Response:
        order = _live_order(view, new.doc_no)
        billed = view.posted_quantities(view.invoices, new.doc_no)
        _check_posting(order, new.lines, billed)
        issued = view.posted_quantities(view.fulfilments, new.doc_no)
        for line in new.lines:
            wanted = billed.get(line.pos, Decimal(0)) + line.qty
            if wanted > issued.get(line.pos, Decimal(0)):
                raise ProblemError(422, f"line {line.pos}: only what is fulfilled can be invoiced")
        now = clock.now()
        document = view.post_invoice(
            view.numbers.next("invoice"),
            new.doc_no,
            new.ship_ref,
            [(line.pos, line.qty) for line in new.lines],
            now,
            now,
            request.scope["idempotency_key"],
        )
        return applied(request, 201, document["inv_no"], None, document)

    @app.post("/api/invoices/{inv_no}/void")
    async def void_invoice(request: Request, inv_no: str, wanted: Reversal) -> Response:
        before = _current(view.invoices, inv_no, wanted.row_version, "invoice")
        if before["stat"] != "P":
            raise ProblemError(422, f"invoice {inv_no} is voided already")
        document = view.void_invoice(inv_no, *(clock.now(),) * 2)
        return applied(request, 200, inv_no, before, document)

    @app.post("/api/settlements")
    async def create_credit(request: Request, new: NewCredit) -> Response:
        """Credit a return at the prices of the invoice that billed its first line."""
        if "settlements" not in view.tables:
            raise ProblemError(404, "this ERP keeps no settlements")
        order = _live_order(view, new.doc_no)
        _check_posting(order, new.lines, {})
        invoice = next(
            (
                invoice
                for invoice in view.invoices.by("doc_no", new.doc_no)
                if invoice["stat"] == "P"
                and any(line["pos"] == new.lines[0].pos for line in invoice["lines"])
            ),
            None,
        )
        if invoice is None:
            raise ProblemError(422, f"line {new.lines[0].pos} was never billed")
        prices = {line["pos"]: line["prc"] for line in order["lines"]}
        now = clock.now()
        header = {
            "set_no": view.numbers.next("credit"),
            "doc_no": new.doc_no,
            "inv_no": invoice["inv_no"],
            "rma_no": new.rma_no,
            "reason": "RETURN",
            "origin": request.scope["idempotency_key"],
        }
        lines = [
            {"pos": line.pos, "qty": quantity(line.qty), "prc": prices[line.pos]}
            for line in new.lines
        ]
        document = distributor.settlements.post(header, lines, now, now)
        return applied(request, 201, document["set_no"], None, document)

    @app.post("/api/settlements/{set_no}/void")
    async def void_credit(request: Request, set_no: str, wanted: Reversal) -> Response:
        if "settlements" not in view.tables:
            raise ProblemError(404, "this ERP keeps no settlements")
        table = view.tables["settlements"]
        before = _current(table, set_no, wanted.row_version, "settlement")
        if before["stat"] != "P":
            raise ProblemError(422, f"settlement {set_no} is voided already")
        document = distributor.settlements.void(set_no, clock.now())
        return applied(request, 200, set_no, before, document)

    @app.post("/api/stock_movements")
    async def create_movement(request: Request, new: NewMovement) -> Response:
        document = _post_movement(view, new, request.scope["idempotency_key"])
        return applied(request, 201, str(document["mv_no"]), None, document)

    @app.post("/api/stock_movements/batch")
    async def create_movements(request: Request, batch: MovementBatch) -> Response:
        """Each item for itself, and once under its key; the answer (207) tells of each."""
        answers = []
        for item in batch.items:
            first = distributor.store.answer("erp", item.key)
            if first is not None:
                document = json.loads(first[3])
                answers.append({"key": item.key, "status": first[1], **document})
                continue
            try:
                document = _post_movement(view, item, item.key)
            except ProblemError as error:
                refusal = {"title": HTTPStatus(error.status).phrase, "detail": error.detail}
                answers.append({"key": item.key, "status": error.status, **refusal})
                continue
            noted(request, str(document["mv_no"]), document, item.key)
            answers.append({"key": item.key, "status": 201, **document})
        return json_response(to_json({"items": answers}), 207)

    return app


def _post_movement(view: ErpView, new: NewMovement, key: str | None) -> Document:
    """Post one movement, or raise ProblemError."""
    position = f"{new.item_no}@{new.whs}"
    if position not in view.stock:
        raise ProblemError(422, f"there is no stock of {new.item_no} in {new.whs}")
    if not new.qty:
        raise ProblemError(422, "the quantity is zero")
    held = Decimal(view.stock.edit(position)["qoh"])
    if new.expected_qoh is not None and new.expected_qoh != held:
        raise ProblemError(412, f"{position} holds {held}, not {new.expected_qoh}")
    # What comes in is taken on a position below zero, too: it is less wrong then.
    if new.qty < 0 and held + new.qty < 0:
        raise ProblemError(422, f"{position} holds only {held}")
    now = clock.now()
    document: Document = view.post_movement(
        new.item_no, new.whs, new.mv_type, new.qty, new.ref, new.reason, now, now, origin=key
    )
    return document


def _checked_local(text: str | None) -> str:
    if text is None:
        return ""
    if not clock.is_local_naive(text):
        raise ProblemError(400, f"modified_from {text!r} is not written YYYY-MM-DD HH:MM:SS")
    return text


def _snapshot(view: ErpView, skip: int, limit: int) -> list[str]:
    as_of = clock.local_naive(clock.now())
    return [
        to_json({**view.stock.edit(position), "as_of": as_of})
        for position in view.stock.ids()[skip : skip + limit]
    ]


def _filtered(table: Table, filters: dict[str, str]) -> list[str]:
    """Texts of the documents that match all filters."""
    first = next((name for name in filters_of(table) if name in filters), None)
    if first is None:
        allowed = ", ".join(filters_of(table))
        raise ProblemError(400, f"{table.entity} can be found by {allowed}")
    found = table.by(first, filters[first])
    for name in filters:
        if any(name not in document for document in found):
            raise ProblemError(400, f"{table.entity} have no field {name}")
    matching: Iterable[Document] = (
        document
        for document in found
        if all(str(document[name]) == value for name, value in filters.items())
    )
    if table.entity == "stock":
        as_of = clock.local_naive(clock.now())
        return [to_json({**document, "as_of": as_of}) for document in matching]
    return [to_json(document) for document in matching]


def _current(table: Table, record_id: str, row_version: int | None, what: str) -> Document:
    """The document, if the caller knows its version."""
    if record_id not in table:
        raise ProblemError(404, f"there is no {what} {record_id}")
    document = table.edit(record_id)
    if row_version is None:
        raise ProblemError(428, f"changing {what} {record_id} needs its row_version")
    if document["row_version"] != row_version:
        raise ProblemError(412, f"{what} {record_id} is at version {document['row_version']}")
    return document


def _live_order(view: ErpView, doc_no: str) -> Document:
    if doc_no not in view.orders:
        raise ProblemError(404, f"there is no order {doc_no}")
    order = view.orders.edit(doc_no)
    if order["stat"] == CANCELLED:
        raise ProblemError(422, f"order {doc_no} is cancelled")
    return order


def _lines_of(order: Document, positions: list[int] | None) -> list[Document]:
    lines: list[Document] = order["lines"]
    known = {line["pos"] for line in lines}
    for pos in positions or ():
        if pos not in known:
            raise ProblemError(422, f"order {order['doc_no']} has no line {pos}")
    return [line for line in lines if positions is None or line["pos"] in positions]


def _check_posting(order: Document, lines: list[PostedLine], posted: dict[int, Decimal]) -> None:
    """No unknown, repeated or cancelled position, and never more than was ordered."""
    if len({line.pos for line in lines}) < len(lines):
        raise ProblemError(422, "a position comes twice")
    known = {line["pos"]: line for line in order["lines"]}
    for line in lines:
        if line.pos not in known:
            raise ProblemError(422, f"order {order['doc_no']} has no line {line.pos}")
        if known[line.pos]["stat"] == CANCELLED:
            raise ProblemError(422, f"line {line.pos} is cancelled")
        ordered = Decimal(known[line.pos]["ord_qty"])
        already = posted.get(line.pos, Decimal(0))
        if already + line.qty > ordered:
            raise ProblemError(
                422, f"line {line.pos}: {already + line.qty} would exceed the ordered {ordered}"
            )
