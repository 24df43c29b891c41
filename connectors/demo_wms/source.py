"""What can be read from the WMS: orders, shipments, receipts, returns, stock ledger, inventory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from connectors.base import Page, Record
from connectors.cursors import FeedPosition, epoch_milliseconds
from connectors.demo_wms.client import FeedPage, WmsClient
from connectors.documents import DocumentReader
from connectors.reading import clocked_page, source_now, unknown_entity, unknown_key
from registry.contracts import contracts_of
from registry.systems import System

# Contract entity -> (feed, field with the time of the change).
FEEDS = {
    "items": ("items", "UpdatedMs"),
    "order_lines": ("orders", "UpdatedMs"),
    "shipment_lines": ("shipments", "UpdatedMs"),
    "receipt_lines": ("receipts", "UpdatedMs"),
    "return_lines": ("returns", "UpdatedMs"),
    "transactions": ("transactions", "TranMs"),
}
SNAPSHOT = "inventory"


class WmsSource:
    """Reads one WMS. The cursor is a position in the entity's change feed.

    Inventory is a snapshot and is read whole, last, after the ledger that explains it. A WMS that
    is not told of purchasing has no receipts, and one that takes nothing back no returns: its
    ``entities`` in the systems file leave them out.
    """

    def __init__(self, system: System, client: WmsClient) -> None:
        self.system = system
        self.client = client
        contracts = contracts_of("demo_wms")
        self._readers = {entity: DocumentReader(contracts[entity]) for entity in self.entities}

    @property
    def entities(self) -> tuple[str, ...]:
        return (*FEEDS, SNAPSHOT)

    def probe(self) -> None:
        self.client.http.get_json("feed/items", {"offset": 0, "limit": 1})

    def pages(self, entity: str, cursor: str | None) -> Iterator[Page]:
        if entity not in self.entities:
            raise unknown_entity(self, entity)
        http, reader = self.client.http, self._readers[entity]
        if entity == SNAPSHOT:
            for rows in self.client.inventory():
                yield clocked_page(http, entity, reader.records(rows), None)
            return
        feed, time_field = FEEDS[entity]
        start = int(cursor) if cursor else 0
        position: FeedPosition | None = None
        for page in self.client.feed(feed, start):
            if position is None:
                # Only now is the source's clock known.
                now = source_now(http)
                settle = timedelta(seconds=self.system.settle_seconds)
                position = FeedPosition(start, now - settle, now + settle)
            _follow(position, page, time_field)
            yield clocked_page(http, entity, reader.records(page.records), str(position))

    def read_one(self, entity: str, key: Mapping[str, str]) -> list[Record]:
        """Keys: order_lines order_nbr or host_order; shipment_lines ship_nbr; return_lines
        rma_nbr; transactions ref; items sku; inventory sku with whse.
        """
        documents: list[Any]
        match entity, dict(key):
            case "order_lines", {"order_nbr": number, **rest} if not rest:
                documents = self.client.one(f"orders/{number}")
            case "order_lines", {"host_order": host_order, **rest} if not rest:
                documents = self.client.find("orders", {"host_order": host_order})
            case "shipment_lines", {"ship_nbr": number, **rest} if not rest:
                documents = self.client.one(f"shipments/{number}")
            case "return_lines", {"rma_nbr": number, **rest} if not rest:
                documents = self.client.one(f"returns/{number}")
            case "transactions", {"ref": reference, **rest} if not rest:
                documents = self.client.find("transactions", {"ref": reference})
            case "items", {"sku": sku, **rest} if not rest:
                documents = self.client.one(f"items/{sku}")
            case "inventory", {"sku": sku, "whse": whse, **rest} if not rest:
                documents = self.client.find("inventory", {"sku": sku, "whse": whse})
            case _:
                raise unknown_key(self, entity, key)
        return self._readers[entity].records(documents)


def _follow(position: FeedPosition, page: FeedPage, time_field: str) -> None:
    # Positions inside the page are known only when the feed has no gaps there.
    dense = page.end - page.start == len(page.records)
    for index, record in enumerate(page.records):
        recorded = epoch_milliseconds(record.get(time_field)) if isinstance(record, dict) else None
        position.see(page.start + index if dense else page.start, recorded)
    position.reach(page.end)


def make_source(system: System, environment: Mapping[str, str]) -> WmsSource:
    return WmsSource(system, WmsClient(system, environment))
