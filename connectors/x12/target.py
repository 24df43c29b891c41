"""Corrections that a trading partner takes: documents in its outbound folder, once each.

Which kinds there are depends on the sets that its profile lists as outbound. What we wrote is read
back from the folder, like anything else that was sent to the partner.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from connectors.base import CorrectionRequest, Outcome, Record, Result, TargetState
from connectors.corrections import already_undone, conflict, decimal, guarded, undo_key
from connectors.x12 import documents
from connectors.x12.source import X12Source
from connectors.x12.writing import NewSet, write_x12
from registry.systems import System


@dataclass(frozen=True)
class _Action:
    """How one kind is read, written and taken back."""

    set_code: str
    undo_set: str
    read: Callable[[CorrectionRequest], TargetState]
    write: Callable[[CorrectionRequest, datetime], NewSet]
    undo: Callable[[CorrectionRequest, datetime], NewSet]
    is_undone: Callable[[CorrectionRequest], bool]
    record: str  # the payload's name for the business document


class X12Target:
    """One partner as a target (``connectors.base.Target``)."""

    def __init__(self, system: System) -> None:
        self.system = system
        self._source = X12Source(system)
        self._profile = self._source.profile
        actions = {
            "create_warehouse_order": _Action(
                "940",
                "940",
                self._read_warehouse_order,
                self._warehouse_order(documents.NEW_ORDER),
                self._warehouse_order(documents.CANCELLED_ORDER),
                self._is_warehouse_order_cancelled,
                "host_order",
            ),
            "create_purchase_order": _Action(
                "850",
                "860",
                self._read_purchase_order,
                lambda r, now: documents.purchase_order(self._profile, r.payload, now),
                lambda r, now: documents.purchase_order_cancellation(r.payload, now),
                self._is_purchase_order_cancelled,
                "po_number",
            ),
            "change_purchase_order": _Action(
                "860",
                "860",
                self._read_purchase_order_lines,
                lambda r, now: documents.purchase_order_change(
                    self._profile, r.payload, False, now
                ),
                lambda r, now: documents.purchase_order_change(self._profile, r.payload, True, now),
                lambda r: self._holds_terms(r, "old_quantity", "old_unit_price"),
                "po_number",
            ),
            "send_shipment_notice": _Action(
                "856",
                "856",
                self._read_shipment_notice,
                self._shipment_notice,
                self._old_shipment_notice,
                lambda r: self._has_notice(r, "old_quantity"),
                "shipment_number",
            ),
        }
        outbound = self._profile.sets.outbound
        self._actions = {
            kind: action
            for kind, action in actions.items()
            if action.set_code in outbound and action.undo_set in outbound
        }

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(self._actions)

    def read(self, request: CorrectionRequest) -> TargetState:
        """What the folder holds about the document. A document that we made counts as there even
        when its file has gone on its way."""
        state = self._actions[request.kind].read(request)
        own = self._source.ledger.find(request.idempotency_key)
        undone = self._source.ledger.find(undo_key(request))
        if own is None or not own.is_written or undone is not None:
            return state
        record = str(request.payload[self._actions[request.kind].record])
        return TargetState(True, False, True, record, state.observed)

    def apply(self, request: CorrectionRequest) -> Outcome:
        """See connectors.base.Target. Repeating it is safe: a key has one document, ever."""
        action = self._actions.get(request.kind)
        if action is None:
            return self._unsupported(request)

        def attempt() -> Outcome:
            # What was begun under this key is finished whatever else is there by now.
            if self._source.ledger.find(request.idempotency_key) is None:
                state = action.read(request)
                if not state.precondition_met:
                    return conflict(f"the partner was told something else: {state.observed}")
            return self._write(
                request, request.idempotency_key, lambda now: action.write(request, now)
            )

        return guarded(attempt, request.deadline)

    def undo(self, request: CorrectionRequest, target_record_id: str | None) -> Outcome:
        """See connectors.base.Target: a cancellation, or a replacement with the old values."""
        action = self._actions.get(request.kind)
        if action is None:
            return self._unsupported(request)

        def attempt() -> Outcome:
            key = undo_key(request)
            undone = self._source.ledger.find(key)
            if undone is not None and undone.is_written:
                return already_undone(str(request.payload[action.record]))
            if undone is None:
                if self._source.ledger.find(request.idempotency_key) is None:
                    return conflict("no document of this correction was ever written")
                if action.is_undone(request):
                    return already_undone(str(request.payload[action.record]))
                if not action.read(request).applied:
                    return conflict("the partner was told something else since")
            return self._write(request, key, lambda now: action.undo(request, now))

        return guarded(attempt, request.deadline)

    def _write(
        self, request: CorrectionRequest, key: str, build: Callable[[datetime], NewSet]
    ) -> Outcome:
        action = self._actions[request.kind]
        zone, profile = self._source.zone, self._profile

        def content(number: int, now: datetime) -> bytes:
            local = now.astimezone(zone)
            return write_x12(profile, profile.versions[0], number, local, [build(local)])

        code = action.set_code if key == request.idempotency_key else action.undo_set
        try:
            document = self._source.ledger.write(key, code, content)
        except (OSError, sqlite3.Error) as error:
            # Sent again under the same key it is the same document under the same number.
            return Outcome(Result.RETRY, "unwritable", f"{self.system.name}: {error}")
        return Outcome(
            Result.OK,
            "written",
            f"{document.file} under control number {document.control_number:09}",
            target_record_id=str(request.payload[action.record]),
            response=document.content.decode(profile.encoding),
        )

    # ---- warehouse orders (940) ------------------------------------------------------------

    def _warehouse_order(self, status: str) -> Callable[[CorrectionRequest, datetime], NewSet]:
        return lambda request, now: documents.warehouse_order(
            self._profile, request.payload, status, now
        )

    def _read_warehouse_order(self, request: CorrectionRequest) -> TargetState:
        lines = self._find(request, "warehouse_order_lines", "host_order")
        live = [line for line in lines if line.fields["status_code"] != documents.CANCELLED_ORDER]
        return _creation_state(request, live, str(request.payload["host_order"]))

    def _is_warehouse_order_cancelled(self, request: CorrectionRequest) -> bool:
        lines = self._find(request, "warehouse_order_lines", "host_order")
        return bool(lines) and all(
            line.fields["status_code"] == documents.CANCELLED_ORDER for line in lines
        )

    # ---- purchase orders (850, 860) --------------------------------------------------------

    def _read_purchase_order(self, request: CorrectionRequest) -> TargetState:
        orders = self._find(request, "purchase_orders", "po_number")
        live = [item for item in orders if item.fields["purpose_code"] != documents.CANCELLATION]
        return _creation_state(request, live, str(request.payload["po_number"]))

    def _is_purchase_order_cancelled(self, request: CorrectionRequest) -> bool:
        orders = self._find(request, "purchase_orders", "po_number")
        return bool(orders) and all(
            item.fields["purpose_code"] == documents.CANCELLATION for item in orders
        )

    def _read_purchase_order_lines(self, request: CorrectionRequest) -> TargetState:
        return TargetState(
            applied=self._holds_terms(request, "quantity", "unit_price"),
            precondition_met=self._holds_terms(request, "old_quantity", "old_unit_price"),
            target_record_id=str(request.payload["po_number"]),
            observed={
                "lines": [
                    f"{line.record_id}: {line.fields['quantity']} at {line.fields['unit_price']}"
                    for line in self._find(request, "purchase_order_lines", "po_number")
                ]
            },
        )

    def _holds_terms(self, request: CorrectionRequest, quantity: str, price: str) -> bool:
        """Whether every line of the payload stands with these values; zero is no line."""
        held = {
            line.fields["line_number"]: line.fields
            for line in self._find(request, "purchase_order_lines", "po_number")
            if line.fields["change_code"] != "DI"
            and line.fields["purpose_code"] != documents.CANCELLATION
        }
        for line in request.payload["lines"]:
            fields = held.get(str(line["line_record"]))
            if decimal(line[quantity]) == 0:
                if fields is not None and decimal(fields["quantity"]) != 0:
                    return False
            elif fields is None or not (
                decimal(fields["quantity"]) == decimal(line[quantity])
                and decimal(fields["unit_price"]) == decimal(line[price])
            ):
                return False
        return True

    # ---- ship notices (856) ----------------------------------------------------------------

    def _read_shipment_notice(self, request: CorrectionRequest) -> TargetState:
        standing = self._standing_notice(request)
        return TargetState(
            applied=self._has_notice(request, "quantity"),
            precondition_met=self._has_notice(request, "old_quantity"),
            target_record_id=str(request.payload["shipment_number"]),
            observed={"lines": [f"{line}: {told}" for line, told in standing.items()]},
        )

    def _standing_notice(self, request: CorrectionRequest) -> dict[str, str]:
        """Quantity by line of the newest notice of the shipment; empty when it is cancelled."""
        found = self._find(request, "shipment_notice_lines", "shipment_number")
        newest = max((int(str(line.fields["position"])) for line in found), default=0)
        return {
            str(line.fields["line_number"]): str(line.fields["quantity"])
            for line in found
            if int(str(line.fields["position"])) == newest
            and line.fields["purpose_code"] != documents.CANCELLATION
        }

    def _has_notice(self, request: CorrectionRequest, quantity: str) -> bool:
        """Whether the notice stands with these quantities; without any, whether none stands."""
        wanted = {
            str(line["line_record"]): decimal(line[quantity])
            for line in request.payload["lines"]
            if line.get(quantity) is not None
        }
        standing = {line: decimal(told) for line, told in self._standing_notice(request).items()}
        return wanted == standing

    def _shipment_notice(self, request: CorrectionRequest, now: datetime) -> NewSet:
        purpose = documents.REPLACEMENT if _has_old(request) else documents.ORIGINAL
        return documents.shipment_notice(self._profile, request.payload, purpose, "quantity", now)

    def _old_shipment_notice(self, request: CorrectionRequest, now: datetime) -> NewSet:
        if not _has_old(request):
            return documents.shipment_notice(
                self._profile, request.payload, documents.CANCELLATION, "quantity", now
            )
        lines = [line for line in request.payload["lines"] if line.get("old_quantity") is not None]
        return documents.shipment_notice(
            self._profile,
            {**request.payload, "lines": lines},
            documents.REPLACEMENT,
            "old_quantity",
            now,
        )

    # ---- shared ----------------------------------------------------------------------------

    def _find(self, request: CorrectionRequest, entity: str, name: str) -> list[Record]:
        return [
            record
            for record in self._source.read_one(entity, {name: str(request.payload[name])})
            if record.fields["direction"] == "outbound"
        ]

    def _unsupported(self, request: CorrectionRequest) -> Outcome:
        return Outcome(
            Result.REFUSED,
            "kind_not_supported",
            f"'{self.system.name}' takes no corrections of kind {request.kind}: its profile lists "
            "the outbound sets",
        )


def _creation_state(request: CorrectionRequest, live: list[Record], record_id: str) -> TargetState:
    own = [item for item in live if item.fields["origin"] == request.idempotency_key]
    return TargetState(
        applied=bool(live),
        precondition_met=not live,
        applied_by_key=bool(own) if live else None,
        target_record_id=record_id if live else None,
        observed={"told": sorted({str(item.fields["interchange_id"]) for item in live})},
    )


def _has_old(request: CorrectionRequest) -> bool:
    return any(line.get("old_quantity") is not None for line in request.payload["lines"])


def make_target(system: System, environment: Mapping[str, str]) -> X12Target:
    """For connectors.factory; files need no secret, so the environment is not read."""
    return X12Target(system)
