"""Proposals as the warehouse makes them, for the pretend system of fake_target."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from writeback.propose import proposal_key

EARLY = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def quantity_change(
    number: int = 1, old: Any = 5, new: Any = 7, frontier: datetime | None = None, **changes: Any
) -> dict[str, Any]:
    """Order line n: quantity from ``old`` to ``new`` in the ERP."""
    order, object_id = f"E5{number:05}", f"SO-1{number:05}/1"
    row = {
        "proposal_key": proposal_key("erp", object_id, "update_quantity", new, old),
        "rule_id": "O04",
        "obligation_ids": f'["O04:{object_id}"]',
        "object_type": "order_line",
        "object_id": object_id,
        "order_id": object_id.split("/")[0],
        "order_line_id": object_id,
        "target_system": "erp",
        "target_role": "erp",
        "kind": "update_quantity",
        "old_value": {"quantity": old},
        "new_value": {"quantity": new},
        "payload": {
            "order_record": order,
            "line_record": "10",
            "quantity": new,
            "old_quantity": old,
        },
        "preconditions": [
            {
                "system": "erp",
                "entity": "sales_order_lines",
                "key": {"doc_no": order, "pos": "10"},
                "check": "equals",
                "field": "ord_qty",
                "value": old,
            }
        ],
        "value_at_risk": "62.50",
        "currency": "USD",
        "needs_approval": False,
        "approval_reason": None,
        "conflict": False,
        "first_sighting_at": EARLY,
        "frontier_at": frontier or EARLY,
    }
    return {**row, **changes}


def invoice(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Shipment n: shipped, not invoiced."""
    document, object_id = f"SHP-{number:06}", f"SO-1{number:05}/1"
    row = quantity_change(number)
    row |= {
        "proposal_key": proposal_key("erp", object_id, "create_invoice", document, None),
        "rule_id": "F01",
        "kind": "create_invoice",
        "old_value": None,
        "new_value": {"document": document},
        "payload": {
            "order_record": f"E5{number:05}",
            "document": document,
            "lines": [{"line_record": "10", "quantity": 5}],
        },
        "preconditions": [
            {
                "system": "erp",
                "entity": "invoice_lines",
                "key": {"ship_ref": document},
                "check": "absent",
            }
        ],
    }
    return {**row, **changes}


def later(moment: datetime, seconds: float) -> datetime:
    return moment + timedelta(seconds=seconds)


def proof(correction_key: str, verdict: str = "verified", **changes: Any) -> dict[str, Any]:
    """A row of correction_proofs."""
    row = {
        "correction_key": correction_key,
        "state": "accepted",
        "accepted_at": None,
        "extractions_since": 2,
        "effect_observed": verdict == "verified",
        "effect_raw_key": "erp/E500001/10/abc",
        "exceptions_open": 0 if verdict == "verified" else 1,
        "verdict": verdict,
    }
    return {**row, **changes}
