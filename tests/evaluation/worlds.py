"""A small world by hand: one fault found and corrected, one decoy left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestration.evaluation.judging import Evidence, Sent, Sighting

BEGAN = datetime(2026, 11, 2, 12, tzinfo=UTC)
LINE = {"line_record": "10", "quantity": "5"}
PAYLOAD = {"order_record": "E500001", "document": "SHP-000001", "lines": [LINE]}


def fault(**changes: Any) -> dict[str, Any]:
    return {
        "fault_id": "FLT-0001",
        "fault_type": "F1",
        "root_cause_id": "cause-1",
        "injected_at": "2026-11-02T11:00:00.000Z",
        "expected_by": "2026-11-02T12:01:00.000Z",
        "decoy": False,
        "detectable": True,
        "entity_keys": {"order_number": "SO-100001", "shipment": "SHP-000001", "line": 1},
        "expected": [{"rule": "F01", "object": "SO-100001/1"}],
        "expected_correction": {"system": "erp", "kind": "create_invoice", "payload": PAYLOAD},
        **changes,
    }


def decoy() -> dict[str, Any]:
    return fault(
        fault_id="DEC-0001",
        fault_type="fresh_shipment",
        root_cause_id="cause-2",
        decoy=True,
        detectable=False,
        entity_keys={"order_number": "SO-100002", "location": "EAST", "line": 1},
        expected=[],
        expected_correction=None,
    )


def after(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


PASSES = tuple((after(ended - 10), after(ended)) for ended in (10, 90, 200, 400))
"""When passes began and ended; the fault of below is due between the first and the second."""


def sighting(
    rule: str = "F01",
    name: str = "SO-100001/1",
    seconds: float = 90,
    again: tuple[float, ...] = (),
    exception: str | None = None,
) -> Sighting:
    seen = (after(seconds), *map(after, again))
    return Sighting(exception or f"{rule} {name}", rule, name, seen, "incident-1")


def sent(key: str = "k1", **changes: Any) -> Sent:
    return Sent(key, "erp", "create_invoice", {**PAYLOAD, **changes})


def written(key: str | None = "k1", number: str = "I900001", **changes: Any) -> dict[str, Any]:
    after = {
        "inv_no": number,
        "ship_ref": "SHP-000001",
        "row_version": 1,
        "lines": [{"pos": 10, "qty": "5.000"}],
        **changes,
    }
    return {
        "system": "erp",
        "kind": "POST /api/invoices",
        "object": number,
        "idempotency_key": key,
        "before": None,
        "after": after,
    }


def perfect(**changes: Any) -> Evidence:
    evidence = Evidence(
        truth=[fault(), decoy()],
        ledger=[written()],
        sightings=[sighting()],
        sent=[sent()],
        began_at=BEGAN,
    )
    return replace(evidence, **changes)
