"""Corrections that the demo OMS takes, in its dialect: apply, read back, undo."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.base import CorrectionRequest, Outcome, TargetState
from connectors.corrections import (
    Action,
    ChangedField,
    HttpTarget,
    already_undone,
    conflict,
    decimal,
    missing,
    undo_key,
    whole,
)
from connectors.demo_oms.client import OmsClient
from registry.systems import System


def _money(value: Any) -> str:
    """A decimal text with two decimals, or as many more as the price has."""
    number = decimal(value).normalize()
    exponent = number.as_tuple().exponent
    places = max(2, -exponent) if isinstance(exponent, int) else 2
    return f"{number:.{places}f}"


PRICE = ChangedField("unit_price", "unitPrice", _money)
QUANTITY = ChangedField("quantity", "qty", whole)


class OmsTarget(HttpTarget):
    """The demo OMS as a target. Every change carries If-Match with the version read right before.

    It keeps no trace of our key in its documents, so that whether a value is there *because of us*
    can't be told from a read.
    """

    def __init__(self, system: System, client: OmsClient) -> None:
        super().__init__(system, client.http)
        self._client = client
        self.actions = {
            "update_price": self._line_change(PRICE),
            "update_quantity": self._line_change(QUANTITY),
            "set_delivered": Action(
                self._read_delivered, self._set_delivered, self._clear_delivered
            ),
        }

    # ---- prices and quantities -------------------------------------------------------------

    def _line_change(self, field: ChangedField) -> Action:
        def patch(request: CorrectionRequest, expected: Any, wanted: Any, key: str) -> Outcome:
            order, line = self._line(request)
            held = line[field.dialect]
            if decimal(held) != decimal(expected):
                record = _record(order, line)
                return conflict(f"{record} holds {field.dialect} {held}, not {expected}")
            return self._patch(order, line, {field.dialect: field.write(wanted)}, key)

        def read(request: CorrectionRequest) -> TargetState:
            order, line = self._line(request)
            held = decimal(line[field.dialect])
            return TargetState(
                applied=held == decimal(request.payload[field.name]),
                precondition_met=held == decimal(request.payload[field.old_name]),
                target_record_id=_record(order, line),
                observed={field.dialect: str(held)},
            )

        def apply(request: CorrectionRequest) -> Outcome:
            old, new = request.payload[field.old_name], request.payload[field.name]
            return patch(request, old, new, request.idempotency_key)

        def undo(request: CorrectionRequest, _record_id: str | None) -> Outcome:
            old, new = request.payload[field.old_name], request.payload[field.name]
            order, line = self._line(request)
            if decimal(line[field.dialect]) == decimal(old):
                return already_undone(_record(order, line))
            return patch(request, new, old, undo_key(request))

        return Action(read, apply, undo)

    # ---- delivery --------------------------------------------------------------------------

    def _read_delivered(self, request: CorrectionRequest) -> TargetState:
        order, line = self._line(request)
        held = line["deliveredAt"]
        return TargetState(
            applied=held is not None and _same_moment(held, request.payload["delivered_at"]),
            precondition_met=held is None,
            target_record_id=_record(order, line),
            observed={"deliveredAt": held},
        )

    def _set_delivered(self, request: CorrectionRequest) -> Outcome:
        order, line = self._line(request)
        if line["deliveredAt"] is not None:
            return conflict(f"{_record(order, line)} is delivered at {line['deliveredAt']} already")
        moment = _iso(request.payload["delivered_at"])
        return self._patch(order, line, {"deliveredAt": moment}, request.idempotency_key)

    def _clear_delivered(self, request: CorrectionRequest, _record_id: str | None) -> Outcome:
        order, line = self._line(request)
        held = line["deliveredAt"]
        if held is None:
            return already_undone(_record(order, line))
        if not _same_moment(held, request.payload["delivered_at"]):
            return conflict(
                f"{_record(order, line)} was delivered at {held} by someone else's word"
            )
        return self._patch(order, line, {"deliveredAt": None}, undo_key(request))

    # ---- shared ----------------------------------------------------------------------------

    def _line(self, request: CorrectionRequest) -> tuple[dict[str, Any], dict[str, Any]]:
        """The order and the line now; raises SourceError ``not_found``."""
        record = str(request.payload["order_record"])
        order = self._client.order(record)
        wanted = whole(request.payload["line_record"])
        for line in order["lines"] if order else ():
            if line["lineNo"] == wanted and order is not None:
                return order, line
        raise missing(self.system.name, f"line {wanted} of order {record}")

    def _patch(
        self, order: dict[str, Any], line: dict[str, Any], change: dict[str, Any], key: str
    ) -> Outcome:
        return self.send(
            "PATCH",
            f"v1/orders/{order['id']}/lines/{line['lineNo']}",
            change,
            key,
            lambda answer: _record(order, line),
            # The entity tag of the order is its version, quoted.
            headers={"If-Match": f'"v{order["version"]}"'},
        )


def make_target(system: System, environment: Mapping[str, str]) -> OmsTarget:
    """For connectors.factory; raises ConfigurationError when a secret is missing."""
    return OmsTarget(system, OmsClient(system, environment))


def _record(order: dict[str, Any], line: dict[str, Any]) -> str:
    return f"{order['id']}/{line['lineNo']}"


def _moment(text: Any) -> datetime:
    return datetime.fromisoformat(str(text)).astimezone(UTC)


def _iso(text: Any) -> str:
    """The OMS's form: UTC, milliseconds, 'Z'."""
    return _moment(text).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _same_moment(left: Any, right: Any) -> bool:
    """Equal at the OMS's precision: it keeps milliseconds."""
    return _iso(left) == _iso(right)
