"""Every kind of correction as data: what its payload must hold and what takes it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from registry.errors import TallymanError


class InvalidPayloadError(TallymanError):
    """A proposal's kind is unknown, or its payload lacks what the target needs."""


@dataclass(frozen=True)
class Kind:
    """A kind of correction.

    ``fields`` must be present and not null in the payload; ``line_fields`` in each element of its
    ``lines`` (at least one). ``undo`` says what Target.undo does. ``is_financial``: it posts to the
    books (goods issued, billed, counted), so that a closed period stops it. ``group``: kinds of one
    group are about one thing of an object, so that two of them contradict each other; the same as
    in the seed correction_kinds. Without one it has none but itself.
    """

    name: str
    fields: tuple[str, ...]
    undo: str
    line_fields: tuple[str, ...] = ()
    is_financial: bool = False
    group: str | None = None


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "create_order",
            ("order_number", "customer_ref", "currency"),
            "cancel the order that it created",
            ("line_no", "target_item", "quantity", "unit_price"),
            group="order_existence",
        ),
        Kind("cancel_order", ("order_record",), "reopen the order", group="order_existence"),
        Kind(
            "cancel_line",
            ("order_record", "line_record"),
            "reopen the line",
            group="ordered_quantity",
        ),
        Kind(
            "update_quantity",
            ("order_record", "line_record", "quantity", "old_quantity"),
            "set the old quantity, if ours is still there",
            group="ordered_quantity",
        ),
        Kind(
            "update_price",
            ("order_record", "line_record", "unit_price", "old_unit_price"),
            "set the old price, if ours is still there",
        ),
        Kind(
            "create_warehouse_order",
            ("host_order", "location"),
            "cancel the warehouse order that it created",
            ("host_line", "target_item", "quantity"),
        ),
        Kind(
            "create_fulfilment",
            ("order_record", "document", "target_location"),
            "reverse the fulfilment that it created",
            ("line_record", "quantity"),
            is_financial=True,
            group="fulfilment",
        ),
        Kind(
            "adjust_fulfilment",
            ("fulfilment_record",),
            "set the old quantities, if ours are still there",
            ("line_record", "quantity", "old_quantity"),
            is_financial=True,
            group="fulfilment",
        ),
        Kind(
            "reverse_fulfilment",
            ("fulfilment_record",),
            "post a fulfilment with the same lines and reference again",
            is_financial=True,
            group="fulfilment",
        ),
        Kind(
            "create_invoice",
            ("order_record", "document"),
            "void the invoice that it created",
            ("line_record", "quantity"),
            is_financial=True,
            group="invoice",
        ),
        Kind(
            "void_invoice",
            ("invoice_record",),
            "issue an invoice with the same lines and reference again",
            is_financial=True,
            group="invoice",
        ),
        Kind(
            "create_credit",
            ("order_record", "document"),
            "void the credit that it created",
            ("line_record", "quantity"),
            is_financial=True,
        ),
        Kind(
            "post_movement",
            ("target_item", "target_location", "movement_type", "quantity", "document"),
            "post the opposite movement with the same reference",
            is_financial=True,
            group="stock",
        ),
        Kind(
            "adjust_stock",
            (
                "target_item",
                "target_location",
                "quantity_delta",
                "expected_quantity",
                "new_quantity",
            ),
            "post the opposite adjustment, if the new quantity is still there",
            is_financial=True,
            group="stock",
        ),
        Kind(
            "set_pack",
            ("target_item", "pack_quantity", "old_pack_quantity"),
            "set the old pack quantity, if ours is still there",
        ),
        Kind(
            "set_delivered",
            ("order_record", "line_record", "delivered_at"),
            "clear the delivery time, if ours is still there",
        ),
        Kind(
            "create_purchase_order",
            ("po_number", "currency"),
            "send a change that cancels the purchase order",
            ("line_no", "target_item", "quantity", "unit_price"),
            group="purchase_order",
        ),
        Kind(
            "change_purchase_order",
            ("po_number",),
            "send a change back to the old values, if ours are still there",
            (
                "line_record",
                "target_item",
                "quantity",
                "old_quantity",
                "unit_price",
                "old_unit_price",
            ),
            group="purchase_order",
        ),
        Kind(
            "send_shipment_notice",
            ("shipment_number", "po_number", "shipped_on"),
            "cancel the ship notice, or send the one before it again",
            ("line_record", "target_item", "quantity"),
        ),
        Kind("add_note", ("order_record", "note"), "delete the note"),
    )
}


def contradicting(kind_name: str) -> list[str]:
    """The kinds that are about the same thing of an object as this one, itself among them."""
    group = KINDS[kind_name].group
    alike = {kind.name for kind in KINDS.values() if group is not None and kind.group == group}
    return sorted(alike | {kind_name})


def check_payload(kind_name: str, payload: Any) -> None:
    """Raise InvalidPayloadError when a target could not make a request of this payload."""
    kind = KINDS.get(kind_name)
    if kind is None:
        known = ", ".join(sorted(KINDS))
        raise InvalidPayloadError(f"no kind of correction '{kind_name}'; there are: {known}")
    if not isinstance(payload, Mapping):
        raise InvalidPayloadError(f"the payload of {kind_name} is not an object: {payload!r}")
    posted = payload.get("posting_date")
    if posted is not None and not _is_date(posted):
        raise InvalidPayloadError(f"the posting_date of {kind_name} is not a date: {posted!r}")
    missing = [name for name in kind.fields if payload.get(name) is None]
    if kind.line_fields:
        lines = payload.get("lines")
        if not isinstance(lines, list) or not lines:
            missing.append("lines")
        else:
            missing += [
                f"lines[{position}].{name}"
                for position, line in enumerate(lines)
                for name in kind.line_fields
                if not isinstance(line, Mapping) or line.get(name) is None
            ]
    if missing:
        raise InvalidPayloadError(f"the payload of {kind_name} lacks {', '.join(missing)}")


def _is_date(value: Any) -> bool:
    try:
        date.fromisoformat(str(value))
    except ValueError:
        return False
    return True
