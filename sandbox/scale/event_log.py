"""A block as rows of what happened: one a step of an order, with who heard of it when."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sandbox.scale.draw import NEVER, STEPS, SYSTEMS, Block
from sandbox.scale.names import invoice_numbers, order_numbers, shipment_numbers
from sandbox.scale.text import chosen, column

_ROOM = 16
"""Event ids an order may use: more than it has steps, so ids need no counting over blocks."""
_KINDS = tuple("parcel_scanned" if name.startswith("scan_") else name for name in STEPS)
_CODES = tuple(name.removeprefix("scan_") if name.startswith("scan_") else None for name in STEPS)
_MOMENT = pa.timestamp("ms", tz="UTC")


def event_table(block: Block) -> pa.Table:
    """The events of a block, by order and then by time of their step.

    Columns: event_id, order_number, kind (as in ``sandbox.events``), occurred_at, scan_code,
    document (shipment or invoice), lines, and seen_<system>; moments in milliseconds, UTC.
    """
    order, step = np.nonzero(block.happened != NEVER)
    number = block.number[order]
    kind = chosen(_KINDS, step)
    parcel = pa.array(np.isin(step, _positions("shipped", "parcel_scanned")))
    invoice = pa.array(np.isin(step, _positions("invoiced")))
    document = pc.case_when(
        pc.make_struct(parcel, invoice),
        shipment_numbers(number),
        invoice_numbers(number),
    )
    lines = np.diff(block.lines.first)[order]
    return pa.table(
        {
            "event_id": number * _ROOM + step,
            "order_number": order_numbers(block.number).take(pa.array(order)),
            "kind": kind,
            "occurred_at": column(block.happened[order, step]).cast(_MOMENT),
            "scan_code": pa.array(_CODES, type=pa.string()).take(pa.array(step)),
            "document": document,
            "lines": lines,
            **{
                f"seen_{system}": column(block.heard[system][order, step]).cast(_MOMENT)
                for system in SYSTEMS
            },
        }
    )


def _positions(*kinds: str) -> list[int]:
    return [position for position, kind in enumerate(_KINDS) if kind in kinds]
