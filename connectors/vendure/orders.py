"""From an order as Vendure nests it to documents of one entity each. Pure: no network.

Vendure tells when something happened only in the history of the order; the documents carry those
times at the order line or fulfilment that they are about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

# States of fulfilments in which the goods have left, and in which they have arrived.
_SHIPPED = frozenset({"Shipped", "Delivered"})
_DELIVERED = frozenset({"Delivered"})
_MONEY_TAKEN = "PaymentSettled"
_CANCELLED = "Cancelled"

Node = Mapping[str, Any]


def money(minor_units: Any, precision: int) -> str | None:
    """An amount in whole minor units (3603) as an exact decimal text (36.03).

    ``precision`` is the number of decimals of Vendure's MoneyStrategy, the same for all currencies.
    """
    if minor_units is None:
        return None
    return f"{Decimal(minor_units).scaleb(-precision):.{precision}f}"


def numbered(lines: Iterable[Node]) -> list[tuple[int, Node]]:
    """Order lines with their numbers: the rank by creation, from 1. Cancelled lines count; Vendure
    keeps them, so that a number never moves."""
    ranked = sorted(lines, key=lambda line: (line["createdAt"], _id_rank(line["id"])))
    return list(enumerate(ranked, start=1))


def order_lines_document(
    order: Node, precision: int, reference_field: str | None
) -> dict[str, Any]:
    """The order with its lines: how much of each was shipped and delivered, and when."""
    history = _History(order)
    fulfilments = order["fulfillments"] or []
    customer = order["customer"] or {}
    return {
        "id": order["id"],
        "code": order["code"],
        "type": order["type"],
        "state": order["state"],
        "currencyCode": order["currencyCode"],
        "customerId": customer.get("id"),
        "customerEmail": customer.get("emailAddress"),
        "reference": order["customFields"][reference_field] if reference_field else None,
        "orderPlacedAt": order["orderPlacedAt"],
        "updatedAt": order["updatedAt"],
        "settledAt": history.entered(_MONEY_TAKEN),
        "lines": [
            {
                "id": line["id"],
                "lineNumber": number,
                "variantId": line["productVariant"]["id"],
                "sku": line["productVariant"]["sku"],
                "quantity": line["quantity"],
                "orderPlacedQuantity": line["orderPlacedQuantity"],
                "unitPrice": money(line["unitPrice"], precision),
                **_progress(line, fulfilments, history),
                "cancelledAt": history.line_cancelled(line, order),
            }
            for number, line in numbered(order["lines"])
        ],
    }


def fulfilment_documents(order: Node) -> list[dict[str, Any]]:
    """The fulfilments of the order, with the order lines that each holds."""
    history = _History(order)
    numbers = {line["id"]: number for number, line in numbered(order["lines"])}
    return [
        {
            **_header(order),
            "id": fulfilment["id"],
            "state": fulfilment["state"],
            "method": fulfilment["method"],
            "trackingCode": fulfilment["trackingCode"],
            "createdAt": fulfilment["createdAt"],
            "updatedAt": fulfilment["updatedAt"],
            "shippedAt": history.fulfilment_reached(fulfilment, _SHIPPED),
            "deliveredAt": history.fulfilment_reached(fulfilment, _DELIVERED),
            "cancelledAt": history.fulfilment_reached(fulfilment, {_CANCELLED}),
            "lines": [
                {
                    "orderLineId": line["orderLineId"],
                    "lineNumber": numbers.get(line["orderLineId"]),
                    "quantity": line["quantity"],
                }
                for line in fulfilment["lines"]
            ],
        }
        for fulfilment in order["fulfillments"] or ()
    ]


def history_documents(order: Node) -> list[dict[str, Any]]:
    """What happened to the order, one document an entry."""
    return [
        {
            **_header(order),
            "id": entry["id"],
            "type": entry["type"],
            "createdAt": entry["createdAt"],
            "updatedAt": entry["updatedAt"],
            "fromState": entry["data"].get("from"),
            "toState": entry["data"].get("to"),
            "fulfilmentId": _text(entry["data"].get("fulfillmentId")),
            "paymentId": _text(entry["data"].get("paymentId")),
            "refundId": _text(entry["data"].get("refundId")),
            "note": entry["data"].get("note"),
            "reason": entry["data"].get("reason"),
        }
        for entry in _entries(order)
    ]


def payment_documents(order: Node, precision: int) -> list[dict[str, Any]]:
    """The payments of the order."""
    return [
        {
            **_header(order),
            "id": payment["id"],
            "method": payment["method"],
            "amount": money(payment["amount"], precision),
            "currencyCode": order["currencyCode"],
            "state": payment["state"],
            "transactionId": payment["transactionId"],
            "createdAt": payment["createdAt"],
            "updatedAt": payment["updatedAt"],
        }
        for payment in order["payments"] or ()
    ]


def refund_documents(order: Node, precision: int) -> list[dict[str, Any]]:
    """What was paid back, of all payments of the order."""
    return [
        {
            **_header(order),
            "paymentId": payment["id"],
            "id": refund["id"],
            "total": money(refund["total"], precision),
            "currencyCode": order["currencyCode"],
            "state": refund["state"],
            "reason": refund["reason"],
            "transactionId": refund["transactionId"],
            "createdAt": refund["createdAt"],
            "updatedAt": refund["updatedAt"],
        }
        for payment in order["payments"] or ()
        for refund in payment["refunds"]
    ]


class _History:
    """When the order, its fulfilments and its lines reached their states, by its history."""

    def __init__(self, order: Node) -> None:
        self._entries = _entries(order)

    def entered(self, state: str) -> str | None:
        """When the order first was in a state."""
        moments = [
            entry["createdAt"]
            for entry in self._entries
            if entry["type"] == "ORDER_STATE_TRANSITION" and entry["data"].get("to") == state
        ]
        return min(moments, default=None)

    def fulfilment_reached(self, fulfilment: Node, states: Iterable[str]) -> str | None:
        """When a fulfilment first was in one of some states. Its last update stands in for an
        entry that is not there, if it is in one of them now."""
        moments = [
            entry["createdAt"]
            for entry in self._entries
            if entry["type"] == "ORDER_FULFILLMENT_TRANSITION"
            and _text(entry["data"].get("fulfillmentId")) == fulfilment["id"]
            and entry["data"].get("to") in states
        ]
        stand_in = fulfilment["updatedAt"] if fulfilment["state"] in states else None
        return min(moments, default=stand_in)

    def line_cancelled(self, line: Node, order: Node) -> str | None:
        """When the last piece of a line was cancelled; None while any is left.

        Vendure sets a cancelled line to quantity 0. A line that staff took out by modifying the
        order has no cancellation of its own: then by the last modification.
        """
        if line["quantity"] > 0:
            return None
        cancelled = [
            entry["createdAt"]
            for entry in self._entries
            if entry["type"] == "ORDER_CANCELLATION"
            and any(_text(part.get("orderLineId")) == line["id"] for part in entry["data"]["lines"])
        ]
        modified = [
            entry["createdAt"] for entry in self._entries if entry["type"] == "ORDER_MODIFIED"
        ]
        return max(cancelled or modified, default=order["updatedAt"])


def _progress(line: Node, fulfilments: Iterable[Node], history: _History) -> dict[str, Any]:
    """How much of a line was shipped and delivered; the times once all that is left of it was."""
    told: dict[str, Any] = {}
    for word, states in (("shipped", _SHIPPED), ("delivered", _DELIVERED)):
        parts = [
            (part["quantity"], history.fulfilment_reached(fulfilment, states))
            for fulfilment in fulfilments
            if fulfilment["state"] in states
            for part in fulfilment["lines"]
            if part["orderLineId"] == line["id"]
        ]
        quantity = sum(part for part, _ in parts)
        is_complete = line["quantity"] > 0 and quantity >= line["quantity"]
        told[f"{word}Quantity"] = quantity
        told[f"{word}At"] = max(moment or "" for _, moment in parts) if is_complete else None
    return told


def _header(order: Node) -> dict[str, Any]:
    return {"orderId": order["id"], "orderCode": order["code"]}


def _entries(order: Node) -> list[Node]:
    return sorted(
        order["history"]["items"], key=lambda entry: (entry["createdAt"], _id_rank(entry["id"]))
    )


def _id_rank(identity: str) -> tuple[int, str]:
    """Order of ids: by number where they are numbers (Vendure's default), else by text."""
    return (len(identity), identity) if identity.isdecimal() else (0, identity)


def _text(identity: Any) -> str | None:
    """The history's data hold ids as they are stored: whole numbers by default."""
    return None if identity is None else str(identity)
