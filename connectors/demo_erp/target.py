"""Corrections that the demo ERP takes, in its dialect: apply, read back, undo."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.base import CorrectionRequest, Outcome, Result, TargetState
from connectors.corrections import (
    Action,
    ChangedField,
    HttpTarget,
    NotRepresentableError,
    already_undone,
    conflict,
    decimal,
    fixed,
    missing,
    undo_key,
    whole,
)
from connectors.demo_erp.client import ErpClient
from registry.systems import System

QUANTITY_PLACES = 3
PRICE_PLACES = 4
CANCELLED = 90  # of orders and order lines
RELEASED = 30  # from here on the warehouse has the order: no longer cancelled by us
POSTED, REVERSED, VOIDED = "P", "R", "V"
ADJUSTMENT = "701"
# What the ERP takes in one request of POST /api/stock_movements/batch.
MOST_IN_A_BATCH = 100
REASON = "tallyman reconciliation"

QUANTITY = ChangedField("quantity", "ord_qty", lambda value: fixed(value, QUANTITY_PLACES))
PRICE = ChangedField("unit_price", "prc", lambda value: fixed(value, PRICE_PLACES))

Document = Mapping[str, Any]
Lines = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class _Created:
    """How one kind of document is created under a reference, found again, and ended."""

    entity: str
    id_field: str
    reference_field: str
    reference_of: Callable[[Mapping[str, Any]], str]
    body_of: Callable[[Mapping[str, Any]], dict[str, Any]]
    is_live: Callable[[Document], bool]
    end_verb: str


def _is_live_order(document: Document) -> bool:
    return whole(document["stat"]) != CANCELLED


def _is_posted(document: Document) -> bool:
    return bool(document["stat"] == POSTED)


def _order_body(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ext_ref": payload["order_number"],
        # The OMS writes customer 0042 as C0042.
        "cust_no": str(payload["customer_ref"]).removeprefix("C"),
        "cust_po": payload.get("customer_po"),
        "curr": payload["currency"],
        "lines": [
            {
                "ext_line": whole(line["line_no"]),
                "item_no": line["target_item"],
                "ord_qty": fixed(line["quantity"], QUANTITY_PLACES),
                "um": line.get("uom", "EA"),
                "prc": fixed(line["unit_price"], PRICE_PLACES),
            }
            for line in payload["lines"]
        ],
    }


def _line_quantities(lines: Lines) -> list[dict[str, Any]]:
    return [
        {
            "pos": whole(line["line_record"]),
            "qty": fixed(line["quantity"], QUANTITY_PLACES),
        }
        for line in lines
    ]


def _fulfilment_body(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "doc_no": payload["order_record"],
        "ship_ref": payload["document"],
        "whs": payload["target_location"],
        "lines": _line_quantities(payload["lines"]),
    }


def _invoice_body(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "doc_no": payload["order_record"],
        "ship_ref": payload["document"],
        "lines": _line_quantities(payload["lines"]),
    }


def _credit_body(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "doc_no": payload["order_record"],
        "rma_no": payload["document"],
        "lines": _line_quantities(payload["lines"]),
    }


ORDER = _Created(
    "sales_orders",
    "doc_no",
    "ext_ref",
    lambda payload: str(payload["order_number"]),
    _order_body,
    _is_live_order,
    "cancel",
)
FULFILMENT = _Created(
    "fulfilments",
    "ful_no",
    "ship_ref",
    lambda payload: str(payload["document"]),
    _fulfilment_body,
    _is_posted,
    "reverse",
)
INVOICE = _Created(
    "invoices",
    "inv_no",
    "ship_ref",
    lambda payload: str(payload["document"]),
    _invoice_body,
    _is_posted,
    "void",
)
CREDIT = _Created(
    "settlements",
    "set_no",
    "rma_no",
    lambda payload: str(payload["document"]),
    _credit_body,
    _is_posted,
    "void",
)


class ErpTarget(HttpTarget):
    """The demo ERP as a target.

    It knows a key again (``origin``) on what it created. Changes carry the ``row_version`` read
    right before; creations can't, so between the look for the reference and the post another
    person may post the same: the next pass then sees the double and corrects it.
    """

    def __init__(self, system: System, client: ErpClient) -> None:
        super().__init__(system, client.http)
        self._client = client
        self.actions = {
            "create_order": self._creation(ORDER),
            "create_fulfilment": self._creation(FULFILMENT),
            "create_invoice": self._creation(INVOICE),
            "create_credit": self._creation(CREDIT),
            "cancel_order": Action(self._read_cancel, self._cancel, self._reopen),
            "cancel_line": Action(self._read_cancel, self._cancel, self._reopen),
            "reverse_fulfilment": self._ending(FULFILMENT, "fulfilment_record", REVERSED),
            "void_invoice": self._ending(INVOICE, "invoice_record", VOIDED),
            "update_quantity": self._line_change(QUANTITY),
            "update_price": self._line_change(PRICE),
            "adjust_fulfilment": Action(
                self._read_fulfilment, self._adjust_fulfilment, self._restore_fulfilment
            ),
            "post_movement": Action(self._read_movement, self._post_movement, self._unpost),
            "adjust_stock": Action(self._read_stock, self._adjust_stock, self._unadjust),
        }

    # ---- documents created under a reference -----------------------------------------------

    def _creation(self, kind: _Created) -> Action:
        def read(request: CorrectionRequest) -> TargetState:
            found = self._under_reference(kind, request)
            live = [document for document in found if kind.is_live(document)]
            own = [d for d in live if d.get("origin") == request.idempotency_key]
            shown = own or live
            return TargetState(
                applied=bool(live),
                precondition_met=not live,
                applied_by_key=bool(own) if live else None,
                target_record_id=shown[0][kind.id_field] if shown else None,
                observed={kind.entity: [document[kind.id_field] for document in found]},
            )

        def apply(request: CorrectionRequest) -> Outcome:
            live = [d for d in self._under_reference(kind, request) if kind.is_live(d)]
            foreign = [d for d in live if d.get("origin") != request.idempotency_key]
            if foreign:
                return conflict(f"{foreign[0][kind.id_field]} carries this reference by now")
            return self._post(kind, kind.body_of(request.payload), request.idempotency_key)

        def undo(request: CorrectionRequest, record_id: str | None) -> Outcome:
            found = self._under_reference(kind, request)
            own = [
                document
                for document in found
                if document.get("origin") == request.idempotency_key
                or (record_id is not None and document[kind.id_field] == record_id)
            ]
            if not own:
                return conflict(f"no {kind.entity} of this correction exists")
            live = [document for document in own if kind.is_live(document)]
            if not live:
                return already_undone(own[0][kind.id_field])
            return self._end(kind, live[0], undo_key(request))

        return Action(read, apply, undo)

    def _under_reference(self, kind: _Created, request: CorrectionRequest) -> list[Document]:
        """Documents under the payload's reference; for documents of an order, of that order."""
        reference = kind.reference_of(request.payload)
        found = self._find(kind.entity, {kind.reference_field: reference})
        order = request.payload.get("order_record")
        return [document for document in found if order in (None, document["doc_no"])]

    def _post(self, kind: _Created, body: Mapping[str, Any], key: str) -> Outcome:
        return self.send(
            "POST", f"api/{kind.entity}", body, key, lambda answer: str(answer[kind.id_field])
        )

    def _end(self, kind: _Created, document: Document, key: str) -> Outcome:
        record = document[kind.id_field]
        return self.send(
            "POST",
            f"api/{kind.entity}/{record}/{kind.end_verb}",
            {"row_version": document["row_version"], "reason": REASON},
            key,
            lambda answer: str(record),
        )

    # ---- documents ended -------------------------------------------------------------------

    def _ending(self, kind: _Created, payload_field: str, ended: str) -> Action:
        def document_of(request: CorrectionRequest) -> Document:
            return self._one(kind.entity, kind.id_field, request.payload[payload_field])

        def read(request: CorrectionRequest) -> TargetState:
            document = document_of(request)
            return TargetState(
                applied=document["stat"] == ended,
                precondition_met=document["stat"] == POSTED,
                target_record_id=document[kind.id_field],
                observed={"stat": document["stat"]},
            )

        def apply(request: CorrectionRequest) -> Outcome:
            document = document_of(request)
            if document["stat"] != POSTED:
                return conflict(f"{document[kind.id_field]} has status {document['stat']}")
            return self._end(kind, document, request.idempotency_key)

        def undo(request: CorrectionRequest, _record_id: str | None) -> Outcome:
            """An ended document can't be revived: the same fact is posted again."""
            document = document_of(request)
            if document["stat"] == POSTED:
                return already_undone(document[kind.id_field])
            key = undo_key(request)
            again = [
                other
                for other in self._find(
                    kind.entity, {kind.reference_field: document[kind.reference_field]}
                )
                if other["doc_no"] == document["doc_no"] and kind.is_live(other)
            ]
            own = [other for other in again if other.get("origin") == key]
            if own:
                return already_undone(own[0][kind.id_field])
            body = {
                name: document[name]
                for name in ("doc_no", kind.reference_field, "whs")
                if name in document
            }
            body["lines"] = [{"pos": li["pos"], "qty": li["qty"]} for li in document["lines"]]
            return self._post(kind, body, key)

        return Action(read, apply, undo)

    # ---- orders and order lines ------------------------------------------------------------

    def _order(self, request: CorrectionRequest) -> Document:
        return self._one("sales_orders", "doc_no", request.payload["order_record"])

    def _read_cancel(self, request: CorrectionRequest) -> TargetState:
        order = self._order(request)
        status = _status(order, request)
        return TargetState(
            applied=status == CANCELLED,
            precondition_met=_can_be_cancelled(order, request),
            target_record_id=order["doc_no"],
            observed={"order_stat": order["stat"], "stat": status},
        )

    def _cancel(self, request: CorrectionRequest) -> Outcome:
        order = self._order(request)
        if not _can_be_cancelled(order, request):
            return conflict(f"{order['doc_no']} has status {order['stat']} and can't be cancelled")
        return self._order_verb("cancel", order, request, request.idempotency_key)

    def _reopen(self, request: CorrectionRequest, _record_id: str | None) -> Outcome:
        order = self._order(request)
        if _status(order, request) != CANCELLED:
            return already_undone(order["doc_no"])
        return self._order_verb("reopen", order, request, undo_key(request))

    def _order_verb(
        self, verb: str, order: Document, request: CorrectionRequest, key: str
    ) -> Outcome:
        body: dict[str, Any] = {"row_version": order["row_version"]}
        if verb == "cancel":
            body["reason"] = REASON
        if request.kind == "cancel_line":
            body["lines"] = [whole(request.payload["line_record"])]
        return self.send(
            "POST",
            f"api/sales_orders/{order['doc_no']}/{verb}",
            body,
            key,
            lambda answer: str(order["doc_no"]),
        )

    def _line_change(self, field: ChangedField) -> Action:
        def patch(request: CorrectionRequest, expected: Any, wanted: Any, key: str) -> Outcome:
            order = self._order(request)
            line = _required_line(order, request)
            record = f"{order['doc_no']}/{line['pos']}"
            held = line[field.dialect]
            if decimal(held) != decimal(expected):
                return conflict(f"{record} holds {field.dialect} {held}, not {expected}")
            return self.send(
                "PATCH",
                f"api/sales_orders/{order['doc_no']}/lines/{line['pos']}",
                {"row_version": order["row_version"], field.dialect: field.write(wanted)},
                key,
                lambda answer: record,
            )

        def read(request: CorrectionRequest) -> TargetState:
            order = self._order(request)
            line = _required_line(order, request)
            held = decimal(line[field.dialect])
            return TargetState(
                applied=held == decimal(request.payload[field.name]),
                precondition_met=held == decimal(request.payload[field.old_name]),
                target_record_id=f"{order['doc_no']}/{line['pos']}",
                observed={field.dialect: str(held), "stat": line["stat"]},
            )

        def apply(request: CorrectionRequest) -> Outcome:
            old, new = request.payload[field.old_name], request.payload[field.name]
            return patch(request, old, new, request.idempotency_key)

        def undo(request: CorrectionRequest, record_id: str | None) -> Outcome:
            old, new = request.payload[field.old_name], request.payload[field.name]
            line = _required_line(self._order(request), request)
            if decimal(line[field.dialect]) == decimal(old):
                return already_undone(record_id)
            return patch(request, new, old, undo_key(request))

        return Action(read, apply, undo)

    # ---- fulfilments changed ---------------------------------------------------------------

    def _fulfilment(self, request: CorrectionRequest) -> Document:
        return self._one("fulfilments", "ful_no", request.payload["fulfilment_record"])

    def _read_fulfilment(self, request: CorrectionRequest) -> TargetState:
        document = self._fulfilment(request)
        posted = document["stat"] == POSTED
        return TargetState(
            applied=posted and _holds(document, request, "quantity"),
            precondition_met=posted and _holds(document, request, "old_quantity"),
            target_record_id=document["ful_no"],
            observed={
                "stat": document["stat"],
                **{str(line["pos"]): line["qty"] for line in document["lines"]},
            },
        )

    def _adjust_fulfilment(self, request: CorrectionRequest) -> Outcome:
        return self._patch_fulfilment(request, "old_quantity", "quantity", request.idempotency_key)

    def _restore_fulfilment(self, request: CorrectionRequest, _record_id: str | None) -> Outcome:
        if _holds(self._fulfilment(request), request, "old_quantity"):
            return already_undone(str(request.payload["fulfilment_record"]))
        return self._patch_fulfilment(request, "quantity", "old_quantity", undo_key(request))

    def _patch_fulfilment(
        self, request: CorrectionRequest, expected: str, wanted: str, key: str
    ) -> Outcome:
        document = self._fulfilment(request)
        record = document["ful_no"]
        if document["stat"] != POSTED or not _holds(document, request, expected):
            return conflict(f"{record} holds other quantities than expected, or is reversed")
        lines = [
            {
                "pos": whole(line["line_record"]),
                "qty": fixed(line[wanted], QUANTITY_PLACES),
            }
            for line in request.payload["lines"]
        ]
        return self.send(
            "PATCH",
            f"api/fulfilments/{record}",
            {"row_version": document["row_version"], "lines": lines},
            key,
            lambda answer: str(record),
        )

    # ---- stock -----------------------------------------------------------------------------

    def _movements(self, request: CorrectionRequest) -> list[Document]:
        """Movements like the wanted one: same reference, item, place, type and quantity."""
        payload = request.payload
        return [
            movement
            for movement in self._find("stock_movements", {"ref": payload["document"]})
            if movement["item_no"] == payload["target_item"]
            and movement["whs"] == payload["target_location"]
            and str(movement["mv_type"]) == str(payload["movement_type"])
            and decimal(movement["qty"]) == decimal(payload["quantity"])
        ]

    def _read_movement(self, request: CorrectionRequest) -> TargetState:
        found = self._movements(request)
        own = [m for m in found if m.get("origin") == request.idempotency_key]
        shown = own or found
        return TargetState(
            applied=bool(found),
            precondition_met=not found,
            applied_by_key=bool(own) if found else None,
            target_record_id=str(shown[0]["mv_no"]) if shown else None,
            observed={"stock_movements": [movement["mv_no"] for movement in found]},
        )

    def _post_movement(self, request: CorrectionRequest) -> Outcome:
        key = request.idempotency_key
        foreign = [m for m in self._movements(request) if m.get("origin") != key]
        if foreign:
            return conflict(f"movement {foreign[0]['mv_no']} is the same and posted by now")
        payload = request.payload
        return self._send_movement(
            {
                "item_no": payload["target_item"],
                "whs": payload["target_location"],
                "mv_type": str(payload["movement_type"]),
                "qty": fixed(payload["quantity"], QUANTITY_PLACES),
                "ref": payload["document"],
                "reason": payload.get("reason"),
            },
            key,
        )

    def _unpost(self, request: CorrectionRequest, _record_id: str | None) -> Outcome:
        payload = request.payload
        return self._send_movement(
            {
                "item_no": payload["target_item"],
                "whs": payload["target_location"],
                "mv_type": str(payload["movement_type"]),
                "qty": fixed(-decimal(payload["quantity"]), QUANTITY_PLACES),
                "ref": payload["document"],
                "reason": "UNDO",
            },
            undo_key(request),
        )

    def _position(self, request: CorrectionRequest) -> Document:
        payload = request.payload
        item, place = payload["target_item"], payload["target_location"]
        found = self._find("stock", {"item_no": item, "whs": place})
        return found[0] if found else {"qoh": "0"}

    def _read_stock(self, request: CorrectionRequest) -> TargetState:
        reference = adjustment_reference(request)
        own = self._find("stock_movements", {"ref": reference})
        held = decimal(self._position(request)["qoh"])
        return TargetState(
            applied=bool(own),
            precondition_met=held == decimal(request.payload["expected_quantity"]),
            # The reference is derived from our key: nobody else posts under it.
            applied_by_key=True if own else None,
            target_record_id=str(own[0]["mv_no"]) if own else None,
            observed={"qoh": str(held)},
        )

    def _adjust_stock(self, request: CorrectionRequest) -> Outcome:
        payload = request.payload
        expected, delta = decimal(payload["expected_quantity"]), decimal(payload["quantity_delta"])
        wrong = _inconsistent(payload, expected, delta)
        if wrong is not None:
            return wrong
        reason = payload.get("reason")
        return self._send_adjustment(request, expected, delta, reason, request.idempotency_key)

    def _unadjust(self, request: CorrectionRequest, _record_id: str | None) -> Outcome:
        payload = request.payload
        return self._send_adjustment(
            request,
            decimal(payload["new_quantity"]),
            -decimal(payload["quantity_delta"]),
            "UNDO",
            undo_key(request),
        )

    def _send_adjustment(
        self, request: CorrectionRequest, expected: Any, delta: Any, reason: Any, key: str
    ) -> Outcome:
        return self._send_movement(_adjustment(request, expected, delta, reason), key)

    @property
    def batches(self) -> Mapping[str, int]:
        """See connectors.base.BatchTarget."""
        return {"adjust_stock": MOST_IN_A_BATCH}

    def apply_batch(self, requests: Sequence[CorrectionRequest]) -> Mapping[str, Outcome]:
        """Adjustments of several balances in one request; the ERP posts each for itself."""
        outcomes: dict[str, Outcome] = {}
        items: dict[str, dict[str, Any]] = {}
        for request in requests:
            payload, key = request.payload, request.idempotency_key
            try:
                expected = decimal(payload["expected_quantity"])
                delta = decimal(payload["quantity_delta"])
                wrong = _inconsistent(payload, expected, delta)
                if wrong is None:
                    items[key] = _adjustment(request, expected, delta, payload.get("reason"))
                else:
                    outcomes[key] = wrong
            except NotRepresentableError as error:
                outcomes[key] = Outcome(Result.REFUSED, "not_representable", str(error))
        if items:
            sent = [request for request in requests if request.idempotency_key in items]
            path = "api/stock_movements/batch"
            outcomes |= self.send_batch(path, items, sent, lambda item: str(item["mv_no"]))
        return outcomes

    def _send_movement(self, body: Mapping[str, Any], key: str) -> Outcome:
        return self.send(
            "POST", "api/stock_movements", body, key, lambda answer: str(answer["mv_no"])
        )

    # ---- reading ---------------------------------------------------------------------------

    def _find(self, entity: str, filters: Mapping[str, Any]) -> list[Document]:
        texts = {name: str(value) for name, value in filters.items()}
        return list(self._client.find(entity, texts))

    def _one(self, entity: str, id_field: str, record_id: Any) -> Document:
        for document in self._find(entity, {id_field: record_id}):
            if str(document[id_field]) == str(record_id):
                return document
        raise missing(self.system.name, f"{entity} {record_id}")


def _adjustment(
    request: CorrectionRequest, expected: Any, delta: Any, reason: Any
) -> dict[str, Any]:
    """The ERP itself compares ``expected_qoh``, so that no other movement can slip between."""
    return {
        "item_no": request.payload["target_item"],
        "whs": request.payload["target_location"],
        "mv_type": ADJUSTMENT,
        "qty": fixed(delta, QUANTITY_PLACES),
        "ref": adjustment_reference(request),
        "reason": reason,
        "expected_qoh": fixed(expected, QUANTITY_PLACES),
    }


def _inconsistent(payload: Mapping[str, Any], expected: Any, delta: Any) -> Outcome | None:
    if expected + delta == decimal(payload["new_quantity"]):
        return None
    message = f"{expected} and {delta} do not make {payload['new_quantity']}"
    return Outcome(Result.REFUSED, "inconsistent_payload", message)


def make_target(system: System, environment: Mapping[str, str]) -> ErpTarget:
    """For connectors.factory; raises ConfigurationError when a secret is missing."""
    return ErpTarget(system, ErpClient(system, environment))


def adjustment_reference(request: CorrectionRequest) -> str:
    """The reference of a stock adjustment, which has no document of its own: from our key."""
    return f"TLY-{request.idempotency_key.removeprefix('tly-')[:12].upper()}"


def _status(order: Document, request: CorrectionRequest) -> int:
    """Status of what a cancellation is about: the whole order, or one line."""
    about = order if request.kind == "cancel_order" else _required_line(order, request)
    return whole(about["stat"])


def _can_be_cancelled(order: Document, request: CorrectionRequest) -> bool:
    return _status(order, request) != CANCELLED and whole(order["stat"]) < RELEASED


def _required_line(order: Document, request: CorrectionRequest) -> Document:
    wanted = whole(request.payload["line_record"])
    for line in order["lines"]:
        if whole(line["pos"]) == wanted:
            found: Document = line
            return found
    raise missing("the ERP", f"line {wanted} of {order['doc_no']}")


def _holds(document: Document, request: CorrectionRequest, field: str) -> bool:
    """Whether every line of the payload holds the quantity that ``field`` of it says."""
    held = {whole(line["pos"]): decimal(line["qty"]) for line in document["lines"]}
    return all(
        held.get(whole(line["line_record"])) == decimal(line[field])
        for line in request.payload["lines"]
    )
