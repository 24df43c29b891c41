"""Corrections of references: by which number of somebody else a document is known."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.base import CorrectionRequest, Outcome, TargetState
from connectors.corrections import Action, already_undone, conflict
from connectors.tryton.desk import Desk, done, refuse
from connectors.tryton.documents import CANCELLED, SHIPMENT
from connectors.tryton.wire import Row

# Which document a correction is about, by the name of its number in payloads.
DOCUMENTS = {
    "order_record": "sale.sale",
    "fulfilment_record": SHIPMENT,
    "purchase_record": "purchase.purchase",
}


class References:
    """A payload names one document (``order_record``, ``fulfilment_record`` or
    ``purchase_record``), the ``reference`` it is to get, and with ``old_reference`` the one it has;
    without, it must have none. Tryton lets a reference be changed in every state."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def actions(self) -> Mapping[str, Action]:
        return {"set_reference": Action(self._read, self._set, self._restore)}

    def _read(self, request: CorrectionRequest) -> TargetState:
        model, row = self._document(request)
        others = self._others(model, row, request)
        held = _held(row)
        return TargetState(
            applied=held == _new(request),
            precondition_met=held == _old(request) and row["state"] != CANCELLED and not others,
            target_record_id=row["number"],
            observed={"reference": held, "state": row["state"], "others": others},
        )

    def _set(self, request: CorrectionRequest) -> Outcome:
        model, row = self._document(request)
        held = _held(row)
        if held == _new(request):
            return done("already_there", row["number"])
        if held != _old(request):
            return conflict(f"{row['number']} has reference {held!r}, not {_old(request)!r}")
        if row["state"] == CANCELLED:
            return conflict(f"{row['number']} was cancelled by now")
        others = self._others(model, row, request)
        if others:
            return conflict(f"{', '.join(others)} has reference {_new(request)!r} already")
        self._desk.write(model, row, {"reference": _new(request)})
        return done("referenced", row["number"])

    def _restore(self, request: CorrectionRequest, _record_id: str | None) -> Outcome:
        model, row = self._document(request)
        held = _held(row)
        if held == _old(request):
            return already_undone(row["number"])
        if held != _new(request):
            return conflict(f"{row['number']} has reference {held!r} by now")
        self._desk.write(model, row, {"reference": _old(request) or None})
        return done("reference_restored", row["number"])

    def _document(self, request: CorrectionRequest) -> tuple[str, Row]:
        named = [name for name in DOCUMENTS if request.payload.get(name)]
        if len(named) != 1 or not _new(request):
            raise refuse(
                "inconsistent_payload",
                f"a reference, and one of {', '.join(DOCUMENTS)} to get it, must be given",
            )
        model, number = DOCUMENTS[named[0]], str(request.payload[named[0]])
        domain = [["number", "=", number]]
        what = f"{model} {number}"
        return model, self._desk.one(model, domain, what, "number", "reference", "state")

    def _others(self, model: str, row: Row, request: CorrectionRequest) -> list[str]:
        """Numbers of other documents that stand under the new reference: a second one under it
        would be a duplicate."""
        rows = self._desk.find(
            model,
            [
                ["reference", "=", _new(request)],
                ["state", "!=", CANCELLED],
                ["id", "!=", row["id"]],
            ],
            "number",
        )
        return [str(other["number"] or other["id"]) for other in rows]


def _held(row: Row) -> str:
    return str(row["reference"] or "")


def _new(request: CorrectionRequest) -> str:
    return str(request.payload.get("reference") or "")


def _old(request: CorrectionRequest) -> str:
    return str(request.payload.get("old_reference") or "")
