"""Documents of the WMS: orders and shipments of a block, items of the catalogue."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sandbox.catalogue import LOCATIONS, Item, wms_sku
from sandbox.scale.documents import Documents
from sandbox.scale.draw import NEVER, Block, Ints, Lines
from sandbox.scale.names import erp_numbers, shipment_numbers, tracking_numbers, wms_numbers
from sandbox.scale.plan import CANCELLED_RELEASED, DELIVERED, RELEASED
from sandbox.scale.text import Text, bare, chosen, digits, grouped, join, taken
from sandbox.settings import WMS_CLOCK_FAST_SECONDS
from sandbox.tables import to_json

_FAST_MS = int(WMS_CLOCK_FAST_SECONDS * 1000)


def items(catalogue: list[Item], at: float) -> Documents:
    """The catalogue as it was from a moment on (seconds since 1970)."""
    texts = [_stock_item(item, at) for item in catalogue]
    return Documents("wms", "items", pa.array(texts), np.arange(1, len(catalogue) + 1))


def _stock_item(item: Item, at: float) -> str:
    return (
        to_json(
            {
                "Sku": wms_sku(item.number),
                "Gtin": item.gtin,
                "Desc": item.title,
                "CasePack": item.case_pack,
                "WeightGrams": item.weight,
                "Version": 1,
                "UpdatedMs": int(at * 1000) + _FAST_MS,
                "Seq": item.number,
            }
        )
        + "\n"
    )


def orders(block: Block) -> Documents:
    """Orders that were released, in the order of their numbers."""
    rows = np.flatnonzero(np.isin(block.state, (CANCELLED_RELEASED, RELEASED, DELIVERED)))
    updated = block.heard["wms"].max(axis=1)[rows]
    status = np.full(len(block.state), 0)
    status[block.state == CANCELLED_RELEASED] = 1
    status[block.state == DELIVERED] = 2
    number = block.number[rows]
    texts = join(
        '{"OrderNbr":"',
        wms_numbers(number),
        '","HostOrder":"',
        erp_numbers(number),
        '","Whse":"',
        chosen(LOCATIONS, block.location[rows]),
        '","Status":"',
        chosen(("NEW", "CANCELED", "SHIPPED"), status[rows]),
        '","CreatedMs":',
        digits(block.told("wms", "order_released")[rows] + _FAST_MS),
        ',"PickedMs":',
        bare(_clock(block.told("wms", "order_picked")[rows])),
        ',"PackedMs":',
        bare(_clock(block.told("wms", "order_packed")[rows])),
        ',"UpdatedMs":',
        digits(updated + _FAST_MS),
        ',"Version":',
        digits((block.heard["wms"][rows] != NEVER).sum(axis=1)),
        ',"Origin":null,"Lines":[',
        taken(_wms_lines(block.lines, "OrdQty"), rows),
        '],"Seq":',
        digits(number),
        "}\n",
    )
    return Documents("wms", "orders", texts, number)


def shipments(block: Block) -> Documents:
    """What was shipped, in the order of the orders' numbers."""
    rows = np.flatnonzero(block.state == DELIVERED)
    shipped = _clock(block.told("wms", "shipped")[rows])
    number = block.number[rows]
    texts = join(
        '{"ShipNbr":"',
        shipment_numbers(number),
        '","OrderNbr":"',
        wms_numbers(number),
        '","HostOrder":"',
        erp_numbers(number),
        '","Whse":"',
        chosen(LOCATIONS, block.location[rows]),
        '","Status":"SHIPPED","ShippedMs":',
        shipped,
        ',"TrackingNbr":"',
        tracking_numbers(number),
        '","Carrier":"SWFT","UpdatedMs":',
        shipped,
        ',"Version":1,"Lines":[',
        taken(_wms_lines(block.lines, "Qty"), rows),
        '],"Seq":',
        digits(number),
        "}\n",
    )
    return Documents("wms", "shipments", texts, number)


def _wms_lines(lines: Lines, quantity: str) -> Text:
    """The lines of each order as JSON objects; ``quantity`` is the field that holds how much."""
    line = join(
        '{"LineNbr":',
        digits(lines.number),
        ',"HostLine":',
        digits(lines.number * 10),
        ',"Sku":"A',
        digits(lines.item, 4),
        f'","{quantity}":',
        digits(lines.qty // lines.pack),
        ',"Uom":"',
        chosen(("EA", "CS"), lines.pack > 1),
        '"}',
    )
    return grouped(line, lines.first)


def _clock(moments: Ints) -> Text:
    """Milliseconds of the warehouse's fast clock; null for NEVER."""
    return digits(np.where(moments == NEVER, NEVER, moments + _FAST_MS))
