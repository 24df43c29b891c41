"""Corrections of customer shipments: complete or take back in the ERP, order in the WMS."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.base import CorrectionRequest, Outcome, TargetState
from connectors.corrections import (
    Action,
    already_undone,
    conflict,
    decimal,
    fixed,
    missing,
    whole,
)
from connectors.tryton.desk import Desk, as_float, done, refuse
from connectors.tryton.documents import RETURN, REVERSAL, SHIPMENT
from connectors.tryton.wire import Row

MOVE = "stock.move"
FIELDS = ("number", "reference", "state", "warehouse.code", "customer")
MOVE_FIELDS = (
    *("product.id", "product.template.default_uom.factor", "unit.id", "unit.factor", "unit.digits"),
    *("quantity", "internal_quantity", "state", "origin"),
)
DONE, CANCELLED, DRAFT, ASSIGNED = "done", "cancelled", "draft", "assigned"
# From picking on Tryton holds what was picked; before, what is planned may still be changed.
PLANNED = (DRAFT, "waiting", ASSIGNED)
# Buttons from each state on the way to done; the warehouse is the authority, so stock that the ERP
# does not believe in is no reason to stop.
WAY = {
    "waiting": "assign_try",
    "assigned": "pick",
    "picked": "pack",
    "packed": "do",
    "shipped": "do",
}
FORCE = "assign_force"


class Fulfilments:
    """The ERP's customer shipments: Tryton made them when the sale was confirmed; a fulfilment
    completes one under the warehouse's number. Nothing in them holds our key."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def actions(self) -> Mapping[str, Action]:
        return {
            "create_fulfilment": Action(self._read_created, self._complete, self._take_back),
            "reverse_fulfilment": Action(self._read_reversed, self._reverse, self._not_again),
        }

    def _of_sale(self, request: CorrectionRequest) -> list[Row]:
        number = str(request.payload["order_record"])
        domain = [["moves.origin.sale.number", "=", number, "sale.line"]]
        rows = self._desk.find(SHIPMENT, domain, *FIELDS)
        return list({row["id"]: row for row in rows}.values())

    def _standing(self, request: CorrectionRequest) -> list[str]:
        """Fulfilments of the sale under the shipment that were not taken back."""
        key = {"reference": str(request.payload["document"])}
        records = self._desk.source.read_one("fulfilment_lines", key)
        return sorted(
            {
                str(record.fields["shipment_number"])
                for record in records
                if record.fields["sale_number"] == request.payload["order_record"]
                and record.fields["status"] == DONE
            }
        )

    def _read_created(self, request: CorrectionRequest) -> TargetState:
        found = self._standing(request)
        return TargetState(
            applied=bool(found),
            precondition_met=not found,
            target_record_id=found[0] if found else None,
            observed={"fulfilments": found},
        )

    def _complete(self, request: CorrectionRequest) -> Outcome:
        found = self._standing(request)
        if found:
            return conflict(f"shipment {found[0]} has this reference by now")
        shipment = self._open_shipment(request)
        changes = self._changes(request, shipment)
        if changes and shipment["state"] not in PLANNED:
            raise refuse(
                "other_quantities",
                f"{shipment['number']} is {shipment['state']} with other quantities than left: a "
                f"person must see what was picked",
            )
        document = str(request.payload["document"])
        if shipment["reference"] != document:
            self._desk.write(SHIPMENT, shipment, {"reference": document})
        if shipment["state"] in PLANNED:
            self._set_quantities(shipment, changes)
        self._finish(shipment["id"])
        return done("completed", shipment["number"])

    def _open_shipment(self, request: CorrectionRequest) -> Row:
        """The one shipment of the sale that waits in the warehouse which shipped."""
        document, place = (str(request.payload[n]) for n in ("document", "target_location"))
        waiting = [
            row
            for row in self._of_sale(request)
            if row["state"] not in (DONE, CANCELLED) and row["warehouse.code"] == place
        ]
        begun = [row for row in waiting if row["reference"] == document]
        free = begun or [row for row in waiting if not row["reference"]]
        if len(free) != 1:
            raise refuse(
                "no_open_shipment",
                f"sale {request.payload['order_record']} has {len(free)} customer shipments in "
                f"{place} that wait for a number: a person must see which one left",
            )
        return free[0]

    def _changes(self, request: CorrectionRequest, shipment: Row) -> dict[int, Decimal]:
        """What must be written to each move that does not hold what left, in its own unit; refused
        where a shipped line has no move, or a unit can't hold the quantity exactly."""
        moves = self._moves(shipment["id"])
        lines = {
            row["sequence"]: row["id"]
            for row in self._desk.find(
                "sale.line",
                [["sale.number", "=", str(request.payload["order_record"])]],
                "sequence",
            )
        }
        left = dict.fromkeys((move["id"] for move in moves), Decimal(0))
        for line in request.payload["lines"]:
            number = whole(line["line_record"])
            own = [move for move in moves if move["origin"] == f"sale.line,{lines.get(number)}"]
            if len(own) != 1:
                raise refuse(
                    "no_open_shipment",
                    f"{shipment['number']} has {len(own)} moves for line {number}: a person must "
                    f"see what left",
                )
            left[own[0]["id"]] += decimal(line["quantity"])
        return {
            move["id"]: _in_own_unit(move, left[move["id"]])
            for move in moves
            if decimal(move["internal_quantity"]) != left[move["id"]]
        }

    def _moves(self, shipment_id: int) -> list[Row]:
        """Moves of a shipment to the customer."""
        return self._desk.find(
            MOVE,
            [
                ["shipment", "=", f"{SHIPMENT},{shipment_id}"],
                ["to_location.type", "=", "customer"],
                ["state", "!=", CANCELLED],
            ],
            *MOVE_FIELDS,
        )

    def _set_quantities(self, shipment: Row, changes: Mapping[int, Decimal]) -> None:
        if changes and shipment["state"] == ASSIGNED:
            # A move that is assigned can't be changed.
            self._desk.click(SHIPMENT, shipment["id"], "wait")
        for move in self._moves(shipment["id"]):
            if move["id"] in changes:
                self._desk.write(MOVE, move, {"quantity": as_float(changes[move["id"]])})
        # Makes the moves inside the warehouse anew, for what is to leave: picking takes theirs for
        # what left. Without a change too, for we may have been cut off right after it.
        self._desk.click(SHIPMENT, shipment["id"], "wait")

    def _finish(self, shipment_id: int) -> None:
        """Push buttons until it is done. A button may leave the state as it is without a word."""
        tried: set[str] = set()
        while True:
            state = self._desk.one(SHIPMENT, [["id", "=", shipment_id]], "shipment", "state")[
                "state"
            ]
            if state == DONE:
                return
            button = WAY.get(state)
            if button in tried and state == "waiting" and FORCE not in tried:
                button = FORCE
            if button is None or button in tried:
                raise refuse("stuck", f"the shipment stays in state {state}")
            tried.add(button)
            self._desk.click(SHIPMENT, shipment_id, button)

    # ---- take back ---------------------------------------------------------------------------

    def _take_back(self, request: CorrectionRequest, record_id: str | None) -> Outcome:
        found = self._standing(request)
        if not found:
            return already_undone(record_id)
        return self._send_back(found[0])

    def _fulfilment(self, request: CorrectionRequest) -> tuple[str, str]:
        """Number and status of the fulfilment."""
        number = str(request.payload["fulfilment_record"])
        records = self._desk.source.read_one("fulfilment_lines", {"shipment_number": number})
        if not records:
            raise missing(self._desk.system.name, f"fulfilment {number}")
        return number, str(records[0].fields["status"])

    def _read_reversed(self, request: CorrectionRequest) -> TargetState:
        number, status = self._fulfilment(request)
        return TargetState(
            applied=status != DONE,
            precondition_met=status == DONE,
            target_record_id=number,
            observed={"status": status},
        )

    def _reverse(self, request: CorrectionRequest) -> Outcome:
        number, status = self._fulfilment(request)
        if status != DONE:
            return conflict(f"{number} was taken back by now")
        return self._send_back(number)

    def _send_back(self, number: str) -> Outcome:
        """Receive the whole shipment back. A shipment that is done is never undone in Tryton."""
        name = REVERSAL + number
        begun = self._desk.find(RETURN, [["reference", "=", name]], "state")
        live = [row for row in begun if row["state"] != CANCELLED]
        return_id = live[0]["id"] if live else self._desk.create(RETURN, self._return(number, name))
        state = live[0]["state"] if live else DRAFT
        for button, states in (("receive", (DRAFT,)), ("do", (DRAFT, "received"))):
            if state in states:
                self._desk.click(RETURN, return_id, button)
        return done("taken_back", number)

    def _return(self, number: str, name: str) -> dict[str, Any]:
        shipment = self._desk.one(
            SHIPMENT, [["number", "=", number]], f"shipment {number}", *FIELDS, "delivery_address"
        )
        place = self._desk.warehouse(str(shipment["warehouse.code"]))
        moves = self._desk.find(
            MOVE,
            [
                ["shipment", "=", f"{SHIPMENT},{shipment['id']}"],
                ["to_location.type", "=", "customer"],
                ["state", "=", DONE],
            ],
            *MOVE_FIELDS,
            *("unit_price", "currency", "to_location"),
        )
        return {
            "reference": name,
            "customer": shipment["customer"],
            "contact_address": shipment["delivery_address"],
            "warehouse": place["id"],
            "warehouse_storage": place["storage_location"],
            "warehouse_input": place["input_location"],
            "incoming_moves": [
                (
                    "create",
                    [
                        {
                            "product": move["product.id"],
                            "quantity": as_float(decimal(move["quantity"])),
                            "unit": move["unit.id"],
                            "unit_price": (
                                None if move["unit_price"] is None else decimal(move["unit_price"])
                            ),
                            "currency": move["currency"],
                            "from_location": move["to_location"],
                            "to_location": place["input_location"],
                            "origin": f"{MOVE},{move['id']}",
                        }
                        for move in moves
                    ],
                )
            ],
        }

    def _not_again(self, request: CorrectionRequest, _record_id: str | None) -> Outcome:
        number, status = self._fulfilment(request)
        if status == DONE:
            return already_undone(number)
        raise refuse(
            "not_reversible",
            f"{number} was received back: Tryton has no way to ship it again for its sale; a "
            f"person must make a new shipment",
        )


def _in_own_unit(move: Row, quantity: Decimal) -> Decimal:
    """A quantity in the item's own unit as one in the unit of a move."""
    base, factor = (
        decimal(move[unit]) for unit in ("product.template.default_uom.factor", "unit.factor")
    )
    return Decimal(fixed(quantity * base / factor, move["unit.digits"]))


class WarehouseOrders:
    """The WMS's orders. A shipment has no field that could hold our key: one under the host's
    number counts, whoever made it. Option ``customer`` is the code of the party that stands for
    whoever the host ships to, because the release does not name it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._customer = str(desk.system.options.get("customer", ""))

    def actions(self) -> Mapping[str, Action]:
        return {"create_warehouse_order": Action(self._read, self._create, self._cancel)}

    def _live(self, request: CorrectionRequest) -> list[Row]:
        host_order = str(request.payload["host_order"])
        rows = self._desk.find(SHIPMENT, [["reference", "=", host_order]], *FIELDS)
        return [row for row in rows if row["state"] != CANCELLED]

    def _read(self, request: CorrectionRequest) -> TargetState:
        live = self._live(request)
        # A draft is not released: ours, cut off before it was, or one that somebody writes.
        released = [row for row in live if row["state"] != DRAFT]
        return TargetState(
            applied=bool(released),
            precondition_met=not released,
            target_record_id=released[0]["number"] if released else None,
            observed={"shipments": [row["number"] or row["id"] for row in live]},
        )

    def _create(self, request: CorrectionRequest) -> Outcome:
        live = self._live(request)
        released = [row for row in live if row["state"] != DRAFT]
        if released:
            return conflict(f"{released[0]['number']} is there for this host order by now")
        for draft in live:
            # Released as it stands only if it is what we would make: ours, cut off, or as good.
            if not self._fits(draft, request):
                raise refuse(
                    "other_draft",
                    f"a draft shipment under host order {draft['reference']} holds other lines "
                    f"than the release: a person must finish or cancel it",
                )
        drafted = [row["id"] for row in live]
        shipment_id = drafted[0] if drafted else self._desk.create(SHIPMENT, self._values(request))
        self._desk.click(SHIPMENT, shipment_id, "wait")
        made = self._desk.one(SHIPMENT, [["id", "=", shipment_id]], "shipment", "number")
        return done("created", str(made["number"]))

    def _fits(self, draft: Row, request: CorrectionRequest) -> bool:
        """Whether a draft holds just the items and quantities of the release, in its warehouse."""
        moves = self._desk.find(
            MOVE,
            [
                ["shipment", "=", f"{SHIPMENT},{draft['id']}"],
                ["to_location.type", "=", "customer"],
                ["state", "!=", CANCELLED],
            ],
            *("product.code", "internal_quantity"),
        )
        held: dict[str, Decimal] = {}
        for move in moves:
            code = str(move["product.code"])
            held[code] = held.get(code, Decimal(0)) + decimal(move["internal_quantity"])
        wanted: dict[str, Decimal] = {}
        for line in request.payload["lines"]:
            code = str(line["target_item"])
            wanted[code] = wanted.get(code, Decimal(0)) + decimal(line["quantity"])
        return held == wanted and draft["warehouse.code"] == str(request.payload["location"])

    def _values(self, request: CorrectionRequest) -> dict[str, Any]:
        if not self._customer:
            raise refuse(
                "no_customer",
                f"'{self._desk.system.name}' has no option customer: give the code of the party "
                f"that warehouse orders are made for",
            )
        lines = request.payload["lines"]
        products = self._desk.products([str(line["target_item"]) for line in lines])
        place = self._desk.warehouse(str(request.payload["location"]))
        party = self._desk.party(self._customer)
        customers = self._desk.customer_location()
        company = self._desk.one(
            "company.company", [["id", "=", self._desk.client.company]], "company", "currency"
        )
        return {
            "reference": str(request.payload["host_order"]),
            "customer": party["id"],
            "delivery_address": party["address"],
            "warehouse": place["id"],
            "warehouse_storage": place["storage_location"],
            "warehouse_output": place["output_location"],
            "outgoing_moves": [
                (
                    "create",
                    [
                        {
                            "product": products[str(line["target_item"])]["id"],
                            "unit": products[str(line["target_item"])]["template.default_uom.id"],
                            "quantity": as_float(decimal(line["quantity"])),
                            "unit_price": Decimal(0),
                            "currency": company["currency"],
                            "from_location": place["output_location"],
                            "to_location": customers,
                        }
                        for line in lines
                    ],
                )
            ],
        }

    def _cancel(self, request: CorrectionRequest, record_id: str | None) -> Outcome:
        own = [row for row in self._live(request) if row["number"] == record_id]
        if not own:
            return already_undone(record_id)
        if own[0]["state"] not in (DRAFT, "waiting", "assigned"):
            return conflict(f"{record_id} is in state {own[0]['state']} and can't be cancelled")
        self._desk.click(SHIPMENT, own[0]["id"], "cancel")
        return done("cancelled", record_id)
