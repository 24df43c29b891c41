"""A block as documents in the dialects of OMS and WMS, one JSON text a line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sandbox.catalogue import LOCATIONS, Item, draw_items, oms_sku, wms_sku
from sandbox.clock import iso_utc
from sandbox.scale.draw import NEVER, Block, Ints, Lines
from sandbox.scale.plan import (
    CANCELLED_RELEASED,
    DELIVERED,
    RELEASED,
    ScalePlan,
)
from sandbox.scale.text import (
    Text,
    bare,
    chosen,
    digits,
    grouped,
    iso,
    join,
    money,
    quoted,
    taken,
)
from sandbox.settings import WMS_CLOCK_FAST_SECONDS
from sandbox.tables import to_json
from sandbox.views.oms import money as money_text

ORDER_NUMBER, DOC_NUMBER, WMS_NUMBER = 100_000_000, 500_000_000, 300_000_000
"""Added to an order's number for its names in OMS, ERP and WMS: room for 100 million."""
CHANNELS = ("web", "web", "edi", "store")
_FAST_MS = int(WMS_CLOCK_FAST_SECONDS * 1000)


@dataclass(frozen=True)
class Documents:
    """Texts, each ending in a line feed, in the order in which they are served.

    ``keys`` says where a reader goes on: the OMS's ``updatedAt`` or the WMS's ``Seq``.
    """

    system: str
    entity: str
    texts: Text
    keys: Ints


def order_numbers(block: Block) -> Text:
    """``SO-100000001``."""
    return join("SO-", digits(block.number + ORDER_NUMBER))


def tracking_numbers(numbers: Ints) -> Text:
    """``TRK000000001``."""
    return join("TRK", digits(numbers, 9))


def shipment_numbers(numbers: Ints) -> Text:
    """``SHP-000000001``: a delivered order has one parcel, which has the order's number."""
    return join("SHP-", digits(numbers, 9))


def block_documents(block: Block) -> list[Documents]:
    """All documents of a block."""
    return [_oms_orders(block), _wms_orders(block), _wms_shipments(block)]


def master_data(plan: ScalePlan) -> list[Documents]:
    """Products of the OMS and items of the WMS."""
    items = draw_items(plan.seed, plan.items)
    # A day before the first order, whose life began before its last change.
    at = plan.begin / 1000 - 6 * 86_400.0
    products = [_product(item, at) for item in items]
    stock = [_stock_item(item, at) for item in items]
    return [
        Documents("oms", "products", pa.array(products), np.full(len(items), int(at * 1000))),
        Documents("wms", "items", pa.array(stock), np.arange(1, len(items) + 1)),
    ]


def _product(item: Item, at: float) -> str:
    return (
        to_json(
            {
                "sku": oms_sku(item.number),
                "gtin": item.gtin,
                "title": item.title,
                "uom": "EA",
                "listPrice": money_text(item.price),
                "currency": "USD",
                "updatedAt": iso_utc(at),
                "version": 1,
            }
        )
        + "\n"
    )


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


def _oms_orders(block: Block) -> Documents:
    state, lines = block.state, block.lines
    updated = block.heard["oms"].max(axis=1)
    number = digits(block.number + ORDER_NUMBER)
    status = chosen(
        ("PLACED", "ACCEPTED", "CANCELLED", "CANCELLED", "CANCELLED", "ACCEPTED", "DELIVERED"),
        state,
    )
    version = (block.heard["oms"] != NEVER).sum(axis=1)
    cancelled = quoted(iso(block.told("oms", "lines_cancelled")))
    delivered = quoted(iso(block.at("scan_DL")))
    line = join(
        '{"lineNo":',
        digits(lines.number),
        ',"sku":"SKU-',
        digits(lines.item, 4),
        '","qty":',
        digits(lines.qty),
        ',"uom":"EA","unitPrice":"',
        money(lines.price),
        '","status":"',
        taken(status, lines.order),
        '","cancelledAt":',
        taken(cancelled, lines.order),
        ',"deliveredAt":',
        taken(delivered, lines.order),
        "}",
    )
    texts = join(
        '{"id":"ord_',
        number,
        '","orderNumber":"SO-',
        number,
        '","channel":"',
        chosen(CHANNELS, block.channel),
        '","customerRef":"C',
        digits(block.customer, 5),
        '","customerPo":"PO-',
        digits(block.number + 77_000),
        '","region":"US","currency":"USD","status":"',
        status,
        '","placedAt":"',
        iso(block.told("oms", "order_placed")),
        '","acceptedAt":',
        quoted(iso(block.told("oms", "order_accepted"))),
        ',"updatedAt":"',
        iso(updated),
        '","version":',
        digits(version),
        ',"lines":[',
        grouped(line, lines.first),
        "]}\n",
    )
    return Documents("oms", "orders", texts, updated)


def _wms_orders(block: Block) -> Documents:
    rows = np.flatnonzero(np.isin(block.state, (CANCELLED_RELEASED, RELEASED, DELIVERED)))
    updated = block.heard["wms"].max(axis=1)[rows]
    status = np.full(len(block.state), 0)
    status[block.state == CANCELLED_RELEASED] = 1
    status[block.state == DELIVERED] = 2
    number = block.number[rows]
    texts = join(
        '{"OrderNbr":"W',
        digits(number + WMS_NUMBER),
        '","HostOrder":"E',
        digits(number + DOC_NUMBER),
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


def _wms_shipments(block: Block) -> Documents:
    rows = np.flatnonzero(block.state == DELIVERED)
    shipped = _clock(block.told("wms", "shipped")[rows])
    number = block.number[rows]
    texts = join(
        '{"ShipNbr":"',
        shipment_numbers(number),
        '","OrderNbr":"W',
        digits(number + WMS_NUMBER),
        '","HostOrder":"E',
        digits(number + DOC_NUMBER),
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
