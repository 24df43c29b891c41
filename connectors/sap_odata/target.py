"""Corrections that S/4HANA takes through its OData services: apply, read back, undo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import httpx

from connectors.base import CorrectionRequest, Outcome, Result, SourceError, TargetState
from connectors.corrections import (
    Action,
    HttpTarget,
    already_undone,
    conflict,
    decimal,
    fixed,
    judge,
    missing,
    whole,
)
from connectors.http import NoAnswerError, NotSentError
from connectors.sap_odata.client import Change, SapClient, text_literal
from registry.systems import System

SERVICE = "API_SALES_ORDER_SRV"
ORDERS = f"{SERVICE}/A_SalesOrder"
QUANTITY_PLACES = 3
# Items are numbered in tens: item 000010 is line 1.
ITEM_STEP = 10
DEFAULT_TEXT_ID = "TX01"
DEFAULT_LANGUAGE = "EN"


class SapTarget(HttpTarget):
    """S/4HANA as a target.

    OData V2 knows no idempotency keys. An order that we create carries ours as a text, under
    ``options.key_text`` (the id of a text type), and is looked for by its customer reference before
    it is posted; a change carries the entity tag of the order that was read right before. Between
    look and post another person may post the same order: the next pass sees the double.

    A locked document (423, or an error whose code is one of ``options.lock_messages``) is tried
    again later.
    """

    def __init__(self, system: System, client: SapClient) -> None:
        super().__init__(system, client.http)
        self._client = client
        self._text_id = str(system.options.get("key_text", DEFAULT_TEXT_ID))
        told = system.options.get("lock_messages", [])
        self._lock_messages = {str(code) for code in told} if isinstance(told, list) else set()
        self.actions = {
            "create_order": Action(self._read_created, self._create, self._delete),
            "update_quantity": Action(self._read_quantity, self._update, self._restore),
        }

    # ---- orders ----------------------------------------------------------------------------

    def _read_created(self, request: CorrectionRequest) -> TargetState:
        live, own = self._under_reference(request)
        shown = own or live
        return TargetState(
            applied=bool(live),
            precondition_met=not live,
            applied_by_key=bool(own) if live else None,
            target_record_id=shown[0]["SalesOrder"] if shown else None,
            observed={"sales_orders": [order["SalesOrder"] for order in live]},
        )

    def _create(self, request: CorrectionRequest) -> Outcome:
        live, own = self._under_reference(request)
        if own:
            return Outcome(Result.OK, "already_applied", target_record_id=own[0]["SalesOrder"])
        if live:
            return conflict(f"order {live[0]['SalesOrder']} has this customer reference by now")
        payload = request.payload
        body = {
            "SalesOrderType": self._option("sales_order_type"),
            "SalesOrganization": self._option("sales_organization"),
            "DistributionChannel": self._option("distribution_channel"),
            "OrganizationDivision": self._option("division"),
            "SoldToParty": str(payload["customer_ref"]),
            "PurchaseOrderByCustomer": str(payload["order_number"]),
            "TransactionCurrency": payload["currency"],
            "to_Item": {
                "results": [
                    {
                        "SalesOrderItem": _item_number(line["line_no"]),
                        "Material": line["target_item"],
                        "RequestedQuantity": fixed(line["quantity"], QUANTITY_PLACES),
                        "RequestedQuantityUnit": line.get("uom", "EA"),
                    }
                    for line in payload["lines"]
                ]
            },
            "to_Text": {
                "results": [
                    {
                        "Language": DEFAULT_LANGUAGE,
                        "LongTextID": self._text_id,
                        "LongText": request.idempotency_key,
                    }
                ]
            },
        }
        return self._judged(
            lambda: self._client.send("POST", ORDERS, body),
            lambda answer: str(answer["d"]["SalesOrder"]),
        )

    def _delete(self, request: CorrectionRequest, record_id: str | None) -> Outcome:
        _, own = self._under_reference(request)
        if not own:
            return already_undone(record_id)
        number = str(own[0]["SalesOrder"])
        outcome = self._judged(
            lambda: self._client.send("DELETE", _order_path(number), etag=_etag(own[0])),
            lambda answer: None,
        )
        return replace(outcome, target_record_id=number)

    def _under_reference(
        self, request: CorrectionRequest
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Orders under the customer reference, and those of them that carry our key."""
        reference = text_literal(str(request.payload["order_number"]))
        live = [
            order
            for page in self._client.query(
                ORDERS, filter=f"PurchaseOrderByCustomer eq {reference}", expand="to_Text"
            )
            for order in page
        ]
        own = [
            order
            for order in live
            if any(
                text["LongTextID"] == self._text_id and text["LongText"] == request.idempotency_key
                for text in order["to_Text"]["results"]
            )
        ]
        return live, own

    # ---- quantities ------------------------------------------------------------------------

    def _read_quantity(self, request: CorrectionRequest) -> TargetState:
        order, item = self._order_and_item(request)
        held = decimal(item["RequestedQuantity"])
        return TargetState(
            applied=held == decimal(request.payload["quantity"]),
            precondition_met=held == decimal(request.payload["old_quantity"]),
            target_record_id=_record(order, item),
            observed={"RequestedQuantity": str(held)},
        )

    def _update(self, request: CorrectionRequest) -> Outcome:
        return self._set_quantity(request, "old_quantity", "quantity")

    def _restore(self, request: CorrectionRequest, record_id: str | None) -> Outcome:
        _, item = self._order_and_item(request)
        if decimal(item["RequestedQuantity"]) == decimal(request.payload["old_quantity"]):
            return already_undone(record_id)
        return self._set_quantity(request, "quantity", "old_quantity")

    def _set_quantity(self, request: CorrectionRequest, expected: str, wanted: str) -> Outcome:
        """Item and header in one changeset: only the header has an entity tag, and its time of
        change is what a reader goes by. The header is written as it stands."""
        order, item = self._order_and_item(request)
        record = _record(order, item)
        if decimal(item["RequestedQuantity"]) != decimal(request.payload[expected]):
            return conflict(f"{record} holds {item['RequestedQuantity']} by now")
        number, position = order["SalesOrder"], item["SalesOrderItem"]
        changes = [
            Change(
                "PATCH",
                f"A_SalesOrder({text_literal(number)})",
                {"PurchaseOrderByCustomer": order["PurchaseOrderByCustomer"]},
                _etag(order),
            ),
            Change(
                "PATCH",
                f"A_SalesOrderItem(SalesOrder={text_literal(number)},"
                f"SalesOrderItem={text_literal(position)})",
                {"RequestedQuantity": fixed(request.payload[wanted], QUANTITY_PLACES)},
            ),
        ]
        outcome = self._judged(
            lambda: self._client.send_together(SERVICE, changes), lambda answer: None
        )
        return replace(outcome, target_record_id=record)

    def _order_and_item(self, request: CorrectionRequest) -> tuple[dict[str, Any], dict[str, Any]]:
        """The order and the item now; raises SourceError ``not_found``."""
        number = str(request.payload["order_record"])
        wanted = str(request.payload["line_record"])
        condition = f"SalesOrder eq {text_literal(number)}"
        for page in self._client.query(ORDERS, filter=condition, expand="to_Item"):
            for order in page:
                for item in order["to_Item"]["results"]:
                    if item["SalesOrderItem"] == wanted:
                        return order, item
        raise missing(self.system.name, f"item {wanted} of sales order {number}")

    # ---- shared ----------------------------------------------------------------------------

    def _judged(
        self, send: Callable[[], httpx.Response], record_of: Callable[[Any], str | None]
    ) -> Outcome:
        """Send once; a locked document is tried again later, whatever status SAP gives it."""
        try:
            response = send()
        except NotSentError as error:
            return Outcome(Result.RETRY, error.kind, str(error))
        except NoAnswerError as error:
            return Outcome(Result.UNKNOWN, error.kind, str(error))
        except SourceError as error:
            if error.kind != "bad_page":
                raise
            return Outcome(Result.UNKNOWN, error.kind, str(error))
        outcome = judge(response, record_of)
        if outcome.result is Result.REFUSED and _error_code(response) in self._lock_messages:
            return replace(outcome, result=Result.RETRY, code="locked")
        return outcome

    def _option(self, name: str) -> str:
        value = self.system.options.get(name)
        if value is None:
            raise SourceError(
                "refused",
                f"{self.system.name} can't create orders without options.{name} in the systems "
                f"file: ask the owner of the system for its value",
            )
        return str(value)


def _error_code(response: httpx.Response) -> str | None:
    try:
        return str(response.json()["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return None


def _item_number(line_number: Any) -> str:
    return f"{ITEM_STEP * whole(line_number):06}"


def _order_path(number: str) -> str:
    return f"{ORDERS}({text_literal(number)})"


def _etag(order: Mapping[str, Any]) -> str | None:
    etag = order["__metadata"].get("etag")
    return None if etag is None else str(etag)


def _record(order: Mapping[str, Any], item: Mapping[str, Any]) -> str:
    return f"{order['SalesOrder']}/{item['SalesOrderItem']}"


def make_target(system: System, environment: Mapping[str, str]) -> SapTarget:
    """For connectors.factory; raises ConfigurationError when a secret is missing."""
    return SapTarget(system, SapClient(system, environment))
