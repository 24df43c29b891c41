"""Corrections of stock: internal shipments between a warehouse's storage and what is lost."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.base import CorrectionRequest, Outcome, Record, Result, TargetState
from connectors.corrections import Action, already_undone, conflict, decimal
from connectors.tryton.desk import Desk, as_float, done, refuse
from connectors.tryton.wire import Row

INTERNAL = "stock.shipment.internal"
LOST = "lost_found"
DONE, CANCELLED = "done", "cancelled"
ENDS = ("from_location", "to_location")
# Its buttons in their order, each with the states from which it leads on.
WAY = (
    ("wait", ("request", "draft")),
    ("assign_force", ("request", "draft", "waiting")),
    ("do", ("request", "draft", "waiting", "assigned", "shipped")),
)


class Adjustments:
    """A movement is found again by its reference, item, place and quantity. Tryton does not compare
    a balance while it posts: between our look and our posting another movement may slip in, which
    the next pass sees."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def actions(self) -> Mapping[str, Action]:
        return {
            "post_movement": Action(self._read_movement, self._post_movement, self._unpost),
            "adjust_stock": Action(self._read_adjusted, self._adjust, self._unadjust),
        }

    # ---- movements -----------------------------------------------------------------------------

    def _read_movement(self, request: CorrectionRequest) -> TargetState:
        found = self._same(request, decimal(request.payload["quantity"]))
        return TargetState(
            applied=bool(found),
            precondition_met=not found,
            target_record_id=found[0].record_id if found else None,
            observed={"stock_movements": [record.record_id for record in found]},
        )

    def _same(self, request: CorrectionRequest, quantity: Decimal) -> list[Record]:
        payload = request.payload
        return [
            record
            for record in self._movements(str(payload["document"]), request)
            if str(record.fields["movement_type"]) == str(payload["movement_type"])
            and decimal(record.fields["quantity"]) == quantity
        ]

    def _movements(self, document: str, request: CorrectionRequest) -> list[Record]:
        """Movements of the item in the warehouse under a document."""
        return [
            record
            for record in self._desk.source.read_one("stock_movements", {"document": document})
            if record.fields["document"] == document
            and record.fields["product_code"] == request.payload["target_item"]
            and record.fields["warehouse"] == request.payload["target_location"]
        ]

    def _post_movement(self, request: CorrectionRequest) -> Outcome:
        quantity = decimal(request.payload["quantity"])
        found = self._same(request, quantity)
        if found:
            return conflict(f"movement {found[0].record_id} is the same and posted by now")
        return self._post(request, str(request.payload["document"]), quantity)

    def _unpost(self, request: CorrectionRequest, _record_id: str | None) -> Outcome:
        quantity = -decimal(request.payload["quantity"])
        found = self._same(request, quantity)
        if found:
            return already_undone(found[0].record_id)
        return self._post(request, str(request.payload["document"]), quantity)

    # ---- balances ------------------------------------------------------------------------------

    def _balance(self, request: CorrectionRequest) -> Decimal:
        payload = request.payload
        key = {
            "product_code": str(payload["target_item"]),
            "warehouse": str(payload["target_location"]),
        }
        found = self._desk.source.read_one("stock", key)
        return decimal(found[0].fields["quantity"]) if found else Decimal(0)

    def _read_adjusted(self, request: CorrectionRequest) -> TargetState:
        own = self._movements(adjustment_reference(request), request)
        undone = self._movements(undo_reference(request), request)
        held = self._balance(request)
        return TargetState(
            applied=bool(own) and not undone,
            precondition_met=held == decimal(request.payload["expected_quantity"]),
            # The reference is derived from our key: nobody else posts under it.
            applied_by_key=True if own and not undone else None,
            target_record_id=own[0].record_id if own else None,
            observed={"on_hand": str(held)},
        )

    def _adjust(self, request: CorrectionRequest) -> Outcome:
        payload = request.payload
        expected, delta = decimal(payload["expected_quantity"]), decimal(payload["quantity_delta"])
        if expected + delta != decimal(payload["new_quantity"]):
            message = f"{expected} and {delta} do not make {payload['new_quantity']}"
            return Outcome(Result.REFUSED, "inconsistent_payload", message)
        return self._set(request, adjustment_reference(request), expected, delta)

    def _unadjust(self, request: CorrectionRequest, _record_id: str | None) -> Outcome:
        payload = request.payload
        reference = undo_reference(request)
        found = self._movements(reference, request)
        if found:
            return already_undone(found[0].record_id)
        new, delta = decimal(payload["new_quantity"]), decimal(payload["quantity_delta"])
        return self._set(request, reference, new, -delta)

    def _set(
        self, request: CorrectionRequest, reference: str, expected: Decimal, delta: Decimal
    ) -> Outcome:
        own = self._movements(reference, request)
        if own:
            return done("already_there", own[0].record_id)
        held = self._balance(request)
        if held != expected:
            return conflict(
                f"{request.payload['target_item']} in {request.payload['target_location']} has "
                f"{held} on hand, not {expected}"
            )
        return self._post(request, reference, delta)

    # ---- posting -------------------------------------------------------------------------------

    def _post(self, request: CorrectionRequest, reference: str, quantity: Decimal) -> Outcome:
        kind = str(request.payload.get("movement_type", LOST))
        if kind != LOST:
            raise refuse(
                "movement_not_supported",
                f"a movement of type {kind} belongs to a shipment in Tryton: a person must make it",
            )
        values = self._values(request, reference, quantity)
        shipment = self._begun(values)
        if shipment is None:
            shipment_id = self._desk.create(INTERNAL, values)
            state = "draft"
        else:
            shipment_id, state = shipment["id"], str(shipment["state"])
        for button, states in WAY:
            if state in states:
                self._desk.click(INTERNAL, shipment_id, button)
        posted = [
            record
            for record in self._movements(reference, request)
            if decimal(record.fields["quantity"]) == quantity
        ]
        if not posted:
            message = f"Tryton took the movement and does not show it under {reference}"
            return Outcome(Result.UNKNOWN, "not_shown", message)
        return done("posted", posted[-1].record_id)

    def _begun(self, values: dict[str, Any]) -> Row | None:
        """An internal shipment of just this movement that was cut off before it was done."""
        ((_, (move,)),) = values["moves"]
        rows = self._desk.find(
            INTERNAL,
            [
                *([name, "=", values[name]] for name in ("reference", *ENDS)),
                ["state", "not in", [DONE, CANCELLED]],
                *([f"moves.{name}", "=", move[name]] for name in ("product", "quantity", *ENDS)),
            ],
            *("state", "moves"),
        )
        return next((row for row in rows if len(row["moves"]) == 1), None)

    def _values(
        self, request: CorrectionRequest, reference: str, quantity: Decimal
    ) -> dict[str, Any]:
        item = str(request.payload["target_item"])
        product = self._desk.products([item])[item]
        place = self._desk.warehouse(str(request.payload["target_location"]))
        lost = place["lost_found_location"]
        if lost is None:
            raise refuse(
                "no_lost_and_found",
                f"warehouse {place['code']} has no lost-and-found place: set one in Tryton",
            )
        source, target = place["storage_location"], lost
        if quantity > 0:
            source, target = target, source
        return {
            "reference": reference,
            "from_location": source,
            "to_location": target,
            "moves": [
                (
                    "create",
                    [
                        {
                            "product": product["id"],
                            "unit": product["template.default_uom.id"],
                            "quantity": as_float(abs(quantity)),
                            "from_location": source,
                            "to_location": target,
                        }
                    ],
                )
            ],
        }


def adjustment_reference(request: CorrectionRequest) -> str:
    """The reference of a stock adjustment, which has no document of its own: from our key."""
    return f"TLY-{request.idempotency_key.removeprefix('tly-')[:12].upper()}"


def undo_reference(request: CorrectionRequest) -> str:
    """The reference of its inverse."""
    return f"{adjustment_reference(request)}-UNDO"
