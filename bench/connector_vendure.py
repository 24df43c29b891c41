"""Reading orders of a real Vendure, beside the ways that its interface suggests first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.connectors import Case
from connectors.vendure.source import VendureSource, make_source
from real.vendure.server import VendureServer
from real.vendure.shop import Item, Shop
from registry.systems import System

RECORDS_AN_ORDER = 14  # of all entities, for the orders that are placed here
MOST_ORDERS = 300  # Vendure takes a quarter of a second to place one
LINES = 3
_NESTED = """
code state updatedAt customer { id emailAddress }
lines { id quantity unitPrice productVariant { id sku } fulfillmentLines { quantity } }
fulfillments { id state lines { orderLineId quantity } }
payments { id amount state refunds { id total state } }
history(options: {take: 1000}) { items { id type createdAt data } }
"""


def cases(records: int, folder: Path) -> Iterator[Case]:
    """All that hangs under orders as we read it; everything nested in one query; headers only."""
    folder.chmod(0o755)  # PostgreSQL never runs as root: as root, it needs a folder of everybody's
    server = VendureServer(folder)
    try:
        access = server.start()
        with Shop(access) as shop:
            shop.set_up(["EAST"])
            items = [Item(f"PART-{number}", f"Part {number}", 1000) for number in range(LINES)]
            shop.add_items(items, {"EAST": 1_000_000})
            for _ in range(min(records // RECORDS_AN_ORDER, MOST_ORDERS)):
                order = shop.place_order([(item.sku, 2) for item in items], "buyer@example.test")
                shop.move_fulfilment(shop.fulfil(order.id, order.code), "Shipped")
        system = System(
            name="oms",
            role="oms",
            connector="vendure",
            base_url=access.url,
            requests_per_second=10_000,
            secrets={"api_key": "KEY"},
        )
        source = make_source(system, {"KEY": access.api_key})
        yield Case("all entities of orders", lambda: _ours(source))
        yield Case("orders with everything nested", lambda: _orders(source, _NESTED))
        yield Case("order headers only", lambda: _orders(source, "code state updatedAt"))
    finally:
        server.remove()


def _ours(source: VendureSource) -> int:
    entities = ("order_lines", "order_history", "fulfilment_lines", "payments", "refunds")
    return sum(len(page.records) for one in entities for page in source.pages(one, None))


def _orders(source: VendureSource, fields: str) -> int:
    """Orders and what is nested in them, counted as records."""
    found = [order for page in source.client.created("orders", fields) for order in page]
    nested = ("lines", "fulfillments", "payments")
    parts = sum(len(order.get(name) or ()) for order in found for name in nested)
    return len(found) + parts + sum(len(o["history"]["items"]) for o in found if "history" in o)
