"""Corrections that Vendure takes, over its Admin API: apply, read back, undo.

Orders have no version. Each action reads the order, compares and sends, while no other action of
this process touches the order; between the read and the write somebody else may change it
(docs/connectors/vendure.md says what can come of that). Where Vendure lets a change carry a text,
it carries our key, and the history is looked through for the key before anything is sent.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx

from connectors.base import CorrectionRequest, Outcome, Result, TargetState
from connectors.corrections import (
    VERSION_CONFLICT,
    Action,
    HttpTarget,
    already_undone,
    conflict,
    judge,
    mark_not_begun,
    missing,
    undo_key,
    whole,
)
from connectors.vendure.client import LARGEST_PAGE, PATH, VendureClient, failure_of
from registry.systems import System

DELIVERY_METHOD = "Delivered"
_FULFILMENT_HANDLER = "manual-fulfillment"
_LIVE = frozenset({"Created", "Pending", "Shipped", "Delivered"})
_PAID = frozenset({"Authorized", "Settled"})
_BEING_MODIFIED = frozenset({"Modifying", "ArrangingAdditionalPayment"})
_ERROR = "... on ErrorResult { errorCode message }"
_TRANSITION_ERROR = "... on %s { transitionError }"

_ORDER = (
    "query($id: ID!) { order(id: $id) { id code state lines { id quantity }"
    " fulfillments { id state lines { orderLineId quantity } }"
    " modifications { id note }"
    f" history(options: {{take: {LARGEST_PAGE}, sort: {{id: DESC}}}})"
    " { items { id type data } } } }"
)
_BALANCE = (
    "query($id: ID!) { order(id: $id) { totalWithTax"
    " payments { amount state refunds { total state } } } }"
)
_FULFIL = (
    "mutation($input: FulfillOrderInput!) { addFulfillmentToOrder(input: $input)"
    f" {{ ... on Fulfillment {{ id }} {_ERROR} }} }}"
)
_MOVE_FULFILMENT = (
    "mutation($id: ID!, $state: String!) { transitionFulfillmentToState(id: $id, state: $state)"
    " { ... on Fulfillment { id } "
    + _ERROR
    + _TRANSITION_ERROR % "FulfillmentStateTransitionError"
    + " } }"
)
_MOVE_ORDER = (
    "mutation($id: ID!, $state: String!) { transitionOrderToState(id: $id, state: $state)"
    " { ... on Order { id } " + _ERROR + _TRANSITION_ERROR % "OrderStateTransitionError" + " } }"
)
_CANCEL = (
    "mutation($input: CancelOrderInput!) { cancelOrder(input: $input)"
    f" {{ ... on Order {{ id }} {_ERROR} }} }}"
)
_MODIFY = (
    "mutation($input: ModifyOrderInput!) { modifyOrder(input: $input)"
    f" {{ ... on Order {{ id }} {_ERROR} }} }}"
)
_PAY = (
    "mutation($input: ManualPaymentInput!) { addManualPaymentToOrder(input: $input)"
    f" {{ ... on Order {{ id }} {_ERROR} }} }}"
)
_SET_STOCK = (
    "mutation($input: UpdateProductVariantInput!) { updateProductVariant(input: $input) { id } }"
)
_ADD_NOTE = "mutation($input: AddNoteToOrderInput!) { addNoteToOrder(input: $input) { id } }"
_DELETE_NOTE = "mutation($id: ID!) { deleteOrderNote(id: $id) { result message } }"
_LEVELS = "sku stockLevels { stockLocationId stockOnHand stockLocation { name } }"

# Refusals that mean that the record is not any more what was read right before.
_CHANGED_MEANWHILE = frozenset(
    {
        "FULFILLMENT_STATE_TRANSITION_ERROR",
        "ORDER_STATE_TRANSITION_ERROR",
        "ITEMS_ALREADY_FULFILLED_ERROR",
        "QUANTITY_TOO_GREAT_ERROR",
        "EMPTY_ORDER_LINE_SELECTION_ERROR",
        "ORDER_MODIFICATION_STATE_ERROR",
    }
)

Node = dict[str, Any]


class VendureTarget(HttpTarget):
    """One Vendure as a target.

    Options: ``delivery_method``, what a fulfilment is called that a correction has to make (Vendure
    delivers fulfilments, never lines); ``additional_payment_method``, the payment method under
    which the price of a raised quantity is entered: without it no quantity is raised.
    """

    def __init__(self, system: System, client: VendureClient) -> None:
        super().__init__(system, client.http)
        self._client = client
        self._delivery_method = str(system.options.get("delivery_method", DELIVERY_METHOD))
        method = system.options.get("additional_payment_method")
        self._payment_method = str(method) if method else None
        self.actions = {
            "set_delivered": Action(self._read_delivered, self._set_delivered, _final),
            "update_quantity": Action(
                self._read_quantity, self._update_quantity, self._restore_quantity
            ),
            "cancel_order": Action(self._read_cancelled_order, self._cancel_order, _final),
            "cancel_line": Action(self._read_cancelled_line, self._cancel_line, _final),
            "adjust_stock": Action(self._read_stock, self._set_stock, self._restore_stock),
            "add_note": Action(self._read_note, self._add_note, self._delete_note),
        }

    def judge(self, response: httpx.Response, record_of: Callable[[Any], str | None]) -> Outcome:
        """See HttpTarget. Business errors come with status 200, in the data; a failure of Vendure
        itself comes with status 200, too, and may have happened after the work was done."""
        outcome = judge(response, record_of)
        if outcome.result is not Result.OK:
            return outcome
        try:
            answer = response.json()
        except ValueError:
            return Outcome(Result.UNKNOWN, "bad_answer", response=outcome.response)
        failure = failure_of(self.system.name, answer)
        if failure is not None:
            known = failure.kind not in ("server_error", "bad_page")
            code = "http_404" if failure.kind == "not_found" else failure.kind
            result = Result.REFUSED if known else Result.UNKNOWN
            return Outcome(result, code, str(failure), response=outcome.response)
        for told in answer["data"].values():
            if isinstance(told, dict) and "errorCode" in told:
                code = told["errorCode"]
                said = told.get("transitionError") or told["message"]
                return Outcome(
                    Result.REFUSED,
                    VERSION_CONFLICT if code in _CHANGED_MEANWHILE else code.lower(),
                    f"Vendure refuses ({code}): {said}",
                    response=outcome.response,
                )
        return outcome

    # ---- delivery --------------------------------------------------------------------------

    def _read_delivered(self, request: CorrectionRequest) -> TargetState:
        order, line = self._line(request)
        delivered = _quantity_in(order, line, {"Delivered"})
        is_live = line["quantity"] > 0
        return TargetState(
            applied=is_live and delivered >= line["quantity"],
            precondition_met=is_live and delivered < line["quantity"],
            target_record_id=_record(order, line),
            observed={"quantity": line["quantity"], "delivered": delivered},
        )

    def _set_delivered(self, request: CorrectionRequest) -> Outcome:
        """Deliver the fulfilments that hold the line, and one more for what none of them holds."""
        with self._alone_with(request):
            state = self._read_delivered(request)
            if not state.precondition_met:
                return conflict(f"{state.target_record_id} is delivered already, or cancelled")
            order, line = self._line(request)
            waiting = [
                fulfilment["id"]
                for fulfilment in order["fulfillments"] or ()
                if fulfilment["state"] in _LIVE - {"Delivered"} and _held_by(fulfilment, line)
            ]
            left = line["quantity"] - _quantity_in(order, line, _LIVE)
            if left > 0:
                made = self._fulfil(line, left, request.idempotency_key)
                if made.result is not Result.OK or made.target_record_id is None:
                    return made
                waiting.append(made.target_record_id)
            return _in_turn(
                _record(order, line),
                (self._move_fulfilment(one, request.idempotency_key) for one in waiting),
            )

    def _fulfil(self, line: Node, quantity: int, key: str) -> Outcome:
        arguments = {"method": self._delivery_method, "trackingCode": ""}
        handler = {
            "code": _FULFILMENT_HANDLER,
            "arguments": [{"name": name, "value": value} for name, value in arguments.items()],
        }
        lines = [{"orderLineId": line["id"], "quantity": quantity}]
        return self._mutate(
            _FULFIL,
            {"input": {"lines": lines, "handler": handler}},
            key,
            lambda data: str(data["addFulfillmentToOrder"]["id"]),
        )

    def _move_fulfilment(self, fulfilment: str, key: str) -> Outcome:
        return self._mutate(_MOVE_FULFILMENT, {"id": fulfilment, "state": "Delivered"}, key)

    # ---- quantities and cancellation -------------------------------------------------------

    def _read_quantity(self, request: CorrectionRequest) -> TargetState:
        order, line = self._line(request)
        held = line["quantity"]
        is_wanted = held == whole(request.payload["quantity"])
        is_begun = is_wanted and _is_half_done(order, request.idempotency_key)
        return TargetState(
            applied=is_wanted and not is_begun,
            # Our own modification, begun and not ended, is not in the way of its end.
            precondition_met=held == whole(request.payload["old_quantity"]) or is_begun,
            applied_by_key=_holds_key(order, request.idempotency_key),
            target_record_id=_record(order, line),
            observed={"quantity": held, "state": order["state"]},
            begun=is_begun,
        )

    def _update_quantity(self, request: CorrectionRequest) -> Outcome:
        old, new = whole(request.payload["old_quantity"]), whole(request.payload["quantity"])
        return self._change_quantity(request, old, new, request.idempotency_key)

    def _restore_quantity(self, request: CorrectionRequest, _record_id: str | None) -> Outcome:
        old, new = whole(request.payload["old_quantity"]), whole(request.payload["quantity"])
        order, line = self._line(request)
        if line["quantity"] == old and not _is_half_done(order, undo_key(request)):
            return already_undone(_record(order, line))
        return self._change_quantity(request, new, old, undo_key(request))

    def _change_quantity(self, request: CorrectionRequest, old: int, new: int, key: str) -> Outcome:
        """Less is a cancellation of the difference; more is a modification, which has to be paid.

        Cancelling is not repeatable (twice 2 is 4), so that the history is searched for the key."""
        with self._alone_with(request):
            order, line = self._line(request)
            record = _record(order, line)
            is_begun = _is_half_done(order, key)
            if _holds_key(order, key) and not is_begun:
                return Outcome(Result.OK, "already_applied", target_record_id=record)
            if not is_begun and line["quantity"] != old:
                return conflict(f"{record} holds quantity {line['quantity']}, not {old}")
            if not is_begun and order["state"] in _BEING_MODIFIED:
                return conflict(
                    f"order {order['code']} is being modified, by somebody or by an attempt of "
                    f"ours that broke off: it must be closed in Vendure first"
                )
            if new < old:
                part = {"orderLineId": line["id"], "quantity": old - new}
                return self._cancel(order, [part], key, record)
            return _in_turn(record, self._raise_quantity(order, line, new, key, is_begun))

    def _raise_quantity(
        self, order: Node, line: Node, new: int, key: str, is_begun: bool
    ) -> Iterator[Outcome]:
        """The steps of a modification, going on where an earlier attempt broke off."""
        identity, state = order["id"], order["state"]
        if self._payment_method is None:
            yield Outcome(
                Result.REFUSED,
                "no_payment_method",
                f"raising a quantity has to be paid: set options.additional_payment_method of "
                f"'{self.system.name}', or raise it in Vendure by hand",
            )
            return
        before = _state_before_modification(order)
        if not is_begun:
            before = state
            yield self._move_order(identity, "Modifying", key)
            line_input = {"orderLineId": line["id"], "quantity": new}
            content = {
                "dryRun": False,
                "orderId": identity,
                "adjustOrderLines": [line_input],
                "note": _signed(key),
            }
            modified = self._mutate(_MODIFY, {"input": content}, key)
            if modified.result in (Result.REFUSED, Result.RETRY):
                modified = self._given_up(modified, order, before, key)
                mark_not_begun()
            yield modified
        if state != "ArrangingAdditionalPayment":
            yield self._move_order(identity, "ArrangingAdditionalPayment", key)
        # Nothing is left to pay when an earlier attempt paid, or the customer had paid for more.
        if self._outstanding(identity) > 0:
            payment = {
                "orderId": identity,
                "method": self._payment_method,
                "transactionId": key,
                "metadata": {},
            }
            yield self._mutate(_PAY, {"input": payment}, key)
        yield self._move_order(identity, before, key)

    def _given_up(self, outcome: Outcome, order: Node, before: str, key: str) -> Outcome:
        """The outcome of a modification that did not happen, after its order is closed again."""
        closed = self._move_order(order["id"], before, key)
        if closed.result is Result.REFUSED:
            # After an earlier modification that cost nothing, only this way leads out.
            self._move_order(order["id"], "ArrangingAdditionalPayment", key)
            closed = self._move_order(order["id"], before, key)
        if closed.result is Result.OK:
            return outcome
        left = (
            f"we left order {order['code']} in 'Modifying' ({closed.code}): move it back to "
            f"'{before}' in Vendure, nobody else is at work in it"
        )
        return replace(outcome, message=f"{outcome.message}; {left}" if outcome.message else left)

    def _outstanding(self, order: str) -> int:
        """What is left to pay of an order, in minor units; below 0 when it is paid too much."""
        found = self._client.query(_BALANCE, id=order)["order"]
        paid = sum(p["amount"] for p in found["payments"] or () if p["state"] in _PAID)
        refunds = [r for p in found["payments"] or () for r in p["refunds"]]
        paid_back = sum(r["total"] for r in refunds if r["state"] != "Failed")
        return int(found["totalWithTax"]) - paid + paid_back

    def _move_order(self, order: str, state: str, key: str) -> Outcome:
        return self._mutate(_MOVE_ORDER, {"id": order, "state": state}, key)

    def _read_cancelled_line(self, request: CorrectionRequest) -> TargetState:
        order, line = self._line(request)
        return TargetState(
            applied=line["quantity"] == 0,
            precondition_met=line["quantity"] > 0 and _quantity_in(order, line, _LIVE) == 0,
            applied_by_key=_holds_key(order, request.idempotency_key),
            target_record_id=_record(order, line),
            observed={"quantity": line["quantity"]},
        )

    def _cancel_line(self, request: CorrectionRequest) -> Outcome:
        with self._alone_with(request):
            state = self._read_cancelled_line(request)
            if not state.precondition_met:
                return conflict(f"{state.target_record_id} is cancelled or in a fulfilment by now")
            order, line = self._line(request)
            part = {"orderLineId": line["id"], "quantity": line["quantity"]}
            return self._cancel(order, [part], request.idempotency_key, _record(order, line))

    def _read_cancelled_order(self, request: CorrectionRequest) -> TargetState:
        order = self._order(request)
        is_cancelled = order["state"] == "Cancelled"
        is_on_its_way = any(one["state"] in _LIVE for one in order["fulfillments"] or ())
        return TargetState(
            applied=is_cancelled,
            precondition_met=not is_cancelled and not is_on_its_way,
            applied_by_key=_holds_key(order, request.idempotency_key),
            target_record_id=order["id"],
            observed={"state": order["state"]},
        )

    def _cancel_order(self, request: CorrectionRequest) -> Outcome:
        with self._alone_with(request):
            state = self._read_cancelled_order(request)
            if not state.precondition_met:
                return conflict(f"order {state.target_record_id} is cancelled or fulfilled by now")
            order = self._order(request)
            return self._cancel(order, None, request.idempotency_key, order["id"])

    def _cancel(self, order: Node, lines: list[Node] | None, key: str, record: str) -> Outcome:
        content = {
            "orderId": order["id"],
            "lines": lines,
            "reason": _signed(key),
            "cancelShipping": lines is None,
        }
        return self._mutate(_CANCEL, {"input": content}, key, lambda _data: record)

    # ---- stock -----------------------------------------------------------------------------

    def _read_stock(self, request: CorrectionRequest) -> TargetState:
        variant, level = self._level(request)
        held = level["stockOnHand"]
        return TargetState(
            applied=held == whole(request.payload["new_quantity"]),
            precondition_met=held == whole(request.payload["expected_quantity"]),
            target_record_id=f"{variant['id']}@{level['stockLocationId']}",
            observed={"stockOnHand": held},
        )

    def _set_stock(self, request: CorrectionRequest) -> Outcome:
        expected = whole(request.payload["expected_quantity"])
        new = whole(request.payload["new_quantity"])
        return self._change_stock(request, expected, new, request.idempotency_key)

    def _restore_stock(self, request: CorrectionRequest, _record_id: str | None) -> Outcome:
        expected = whole(request.payload["expected_quantity"])
        new = whole(request.payload["new_quantity"])
        variant, level = self._level(request)
        if level["stockOnHand"] == expected:
            return already_undone(f"{variant['id']}@{level['stockLocationId']}")
        return self._change_stock(request, new, expected, undo_key(request))

    def _change_stock(self, request: CorrectionRequest, old: int, new: int, key: str) -> Outcome:
        with self._alone_with(request):
            variant, level = self._level(request)
            record = f"{variant['id']}@{level['stockLocationId']}"
            if level["stockOnHand"] != old:
                return conflict(f"{record} holds {level['stockOnHand']} on hand, not {old}")
            wanted = {"stockLocationId": level["stockLocationId"], "stockOnHand": new}
            return self._mutate(
                _SET_STOCK,
                {"input": {"id": variant["id"], "stockLevels": [wanted]}},
                key,
                lambda _data: record,
            )

    def _level(self, request: CorrectionRequest) -> tuple[Node, Node]:
        """The item and its level at the place; raises SourceError ``not_found``."""
        sku, place = str(request.payload["target_item"]), str(request.payload["target_location"])
        variants = self._client.matching("productVariants", _LEVELS, {"sku": {"eq": sku}})
        levels = [
            (variant, level)
            for variant in variants
            for level in variant["stockLevels"]
            if level["stockLocation"]["name"] == place
        ]
        # Vendure does not keep a sku unique: of two items nobody knows which one is meant.
        if len(levels) != 1:
            raise missing(self.system.name, f"single item {sku} at {place}")
        return levels[0]

    # ---- notes -----------------------------------------------------------------------------

    def _read_note(self, request: CorrectionRequest) -> TargetState:
        order = self._order(request)
        is_there = _note_of(order, request.idempotency_key) is not None
        return TargetState(
            applied=is_there,
            precondition_met=not is_there,
            applied_by_key=is_there,
            target_record_id=order["id"],
        )

    def _add_note(self, request: CorrectionRequest) -> Outcome:
        with self._alone_with(request):
            order = self._order(request)
            if _note_of(order, request.idempotency_key) is not None:
                return Outcome(Result.OK, "already_applied", target_record_id=order["id"])
            text = f"{request.payload['note']}\n{_signed(request.idempotency_key)}"
            return self._mutate(
                _ADD_NOTE,
                {"input": {"id": order["id"], "note": text, "isPublic": False}},
                request.idempotency_key,
                lambda _data: order["id"],
            )

    def _delete_note(self, request: CorrectionRequest, _record_id: str | None) -> Outcome:
        with self._alone_with(request):
            note = _note_of(self._order(request), request.idempotency_key)
            if note is None:
                return already_undone(None)
            return self._mutate(_DELETE_NOTE, {"id": note}, undo_key(request), lambda _data: note)

    # ---- shared ----------------------------------------------------------------------------

    def _order(self, request: CorrectionRequest) -> Node:
        """The order now; raises SourceError ``not_found``."""
        record = str(request.payload["order_record"])
        order: Node | None = self._client.query(_ORDER, id=record)["order"]
        if order is None:
            raise missing(self.system.name, f"order {record}")
        return order

    def _line(self, request: CorrectionRequest) -> tuple[Node, Node]:
        """The order and the line now; raises SourceError ``not_found``."""
        order, wanted = self._order(request), str(request.payload["line_record"])
        for line in order["lines"]:
            if line["id"] == wanted:
                return order, line
        raise missing(self.system.name, f"line {wanted} of order {order['code']}")

    def _mutate(
        self,
        document: str,
        variables: Mapping[str, Any],
        key: str,
        record_of: Callable[[Any], str | None] = lambda _data: None,
    ) -> Outcome:
        body = {"query": document, "variables": dict(variables)}
        return self.send("POST", PATH, body, key, lambda answer: record_of(answer["data"]))

    @contextmanager
    def _alone_with(self, request: CorrectionRequest) -> Iterator[None]:
        """Vendure lets four calls at once fulfil the same line four times: one at a time."""
        record = request.payload.get("order_record") or request.payload["target_item"]
        with _locks[self.system.name, str(record)]:
            yield


_locks: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)


def _in_turn(record: str, steps: Iterable[Outcome]) -> Outcome:
    """The outcome of steps taken one after the other up to the first that does not succeed."""
    outcome = Outcome(Result.OK, "nothing_to_do")
    for outcome in steps:
        if outcome.result is not Result.OK:
            break
    return Outcome(
        outcome.result,
        outcome.code,
        outcome.message,
        target_record_id=record,
        retry_after_seconds=outcome.retry_after_seconds,
        response=outcome.response,
    )


def _final(request: CorrectionRequest, _record_id: str | None) -> Outcome:
    """An undo that Vendure has no way for: these states are final."""
    return Outcome(
        Result.REFUSED,
        "not_undoable",
        f"Vendure has no way back from {request.kind}: its states are final; make a new order or "
        f"settle it by hand",
    )


def _record(order: Node, line: Node) -> str:
    return f"{order['id']}/{line['id']}"


def _held_by(fulfilment: Node, line: Node) -> int:
    parts = fulfilment["lines"]
    return sum(part["quantity"] for part in parts if part["orderLineId"] == line["id"])


def _quantity_in(order: Node, line: Node, states: Iterable[str]) -> int:
    """How much of a line lies in fulfilments of some states."""
    fulfilments = order["fulfillments"] or ()
    return sum(_held_by(one, line) for one in fulfilments if one["state"] in states)


def _signed(key: str) -> str:
    return f"[Tallyman {key}]"


def _holds_key(order: Node, key: str) -> bool:
    """Whether a cancellation or modification of the order carries our key."""
    texts = [entry["data"].get("reason") for entry in order["history"]["items"]]
    texts += [modification["note"] for modification in order["modifications"]]
    return any(_signed(key) in (text or "") for text in texts)


def _is_half_done(order: Node, key: str) -> bool:
    """Whether the modification that carries our key is still open, and not one begun after it.

    A cancellation is done at once: it is never half done."""
    if order["state"] not in _BEING_MODIFIED:
        return False
    ours = {one["id"] for one in order["modifications"] if _signed(key) in (one["note"] or "")}
    for entry in order["history"]["items"]:
        data = entry["data"]
        if entry["type"] == "ORDER_MODIFIED" and str(data["modificationId"]) in ours:
            return True
        if entry["type"] == "ORDER_STATE_TRANSITION" and data["to"] == "Modifying":
            return False
    return False


def _note_of(order: Node, key: str) -> str | None:
    """The history entry of the note that carries our key."""
    for entry in order["history"]["items"]:
        if entry["type"] == "ORDER_NOTE" and _signed(key) in entry["data"].get("note", ""):
            return str(entry["id"])
    return None


def _state_before_modification(order: Node) -> str:
    """Where the order was when its latest modification began."""
    for entry in order["history"]["items"]:
        if entry["type"] == "ORDER_STATE_TRANSITION" and entry["data"]["to"] == "Modifying":
            return str(entry["data"]["from"])
    return str(order["state"])


def make_target(system: System, environment: Mapping[str, str]) -> VendureTarget:
    """For connectors.factory; raises ConfigurationError when a secret is missing."""
    return VendureTarget(system, VendureClient(system, environment))
