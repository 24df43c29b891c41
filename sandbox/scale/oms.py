"""Documents of the OMS: orders of a block, products of the catalogue."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sandbox.catalogue import Item, oms_sku
from sandbox.clock import iso_utc
from sandbox.scale.documents import Documents
from sandbox.scale.draw import NEVER, Block
from sandbox.scale.names import order_digits, order_numbers, purchase_numbers
from sandbox.scale.text import chosen, digits, grouped, iso, join, money, quoted, taken
from sandbox.tables import to_json
from sandbox.views.oms import money as money_text

CHANNELS = ("web", "web", "edi", "store")


def products(catalogue: list[Item], at: float) -> Documents:
    """The catalogue as it was from a moment on (seconds since 1970)."""
    texts = [_product(item, at) for item in catalogue]
    return Documents("oms", "products", pa.array(texts), np.full(len(catalogue), int(at * 1000)))


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


def orders(block: Block) -> Documents:
    """Orders by their last change."""
    state, lines = block.state, block.lines
    updated = block.heard["oms"].max(axis=1)
    number = order_digits(block.number)
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
        '","orderNumber":"',
        order_numbers(block.number),
        '","channel":"',
        chosen(CHANNELS, block.channel),
        '","customerRef":"C',
        digits(block.customer, 5),
        '","customerPo":"',
        purchase_numbers(block.number),
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
