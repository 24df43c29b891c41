"""What can be read from the OMS: order lines, products, and what it offers on its channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from connectors.base import Page, Record
from connectors.cursors import instant, iso_milliseconds, latest
from connectors.demo_oms.client import OmsClient
from connectors.documents import DocumentReader
from connectors.reading import clocked_page, note_order, source_now, unknown_entity, unknown_key
from registry.contracts import contracts_of
from registry.systems import System

KINDS = {"order_lines": "orders", "products": "products"}
SNAPSHOT = "availability"


class OmsSource:
    """Reads one OMS. The cursor is the latest ``updatedAt`` seen, never later than its clock.

    What it offers is a snapshot and is read whole. An OMS without channels has none: its
    ``entities`` in the systems file leave it out.
    """

    def __init__(self, system: System, client: OmsClient) -> None:
        self.system = system
        self.client = client
        contracts = contracts_of("demo_oms")
        self._readers = {entity: DocumentReader(contracts[entity]) for entity in self.entities}

    @property
    def entities(self) -> tuple[str, ...]:
        # Products first: an order line whose product is still unknown can't be compared.
        return ("products", "order_lines", SNAPSHOT)

    def probe(self) -> None:
        self.client.http.get_json("v1/products", {"limit": 1})

    def pages(self, entity: str, cursor: str | None) -> Iterator[Page]:
        if entity == SNAPSHOT:
            rows = self.client.availability()
            records = self._readers[entity].records(rows)
            yield clocked_page(self.client.http, entity, records, None)
            return
        if entity not in KINDS:
            raise unknown_entity(self, entity)
        reached = instant(cursor)
        overlap = timedelta(seconds=max(self.system.settle_seconds, 0.001))
        after = iso_milliseconds(reached - overlap) if reached else None
        for documents in self.client.changed(KINDS[entity], after):
            seen = [instant(d.get("updatedAt")) for d in documents if isinstance(d, dict)]
            note_order(self.client.http, entity, seen)
            reached = latest([reached, *seen], source_now(self.client.http))
            yield clocked_page(
                self.client.http,
                entity,
                self._readers[entity].records(documents),
                iso_milliseconds(reached) if reached else cursor,
            )

    def read_one(self, entity: str, key: Mapping[str, str]) -> list[Record]:
        """``order_lines`` by order_number or order_id, ``products`` by sku."""
        documents: list[dict[str, Any]]
        match entity, dict(key):
            case "order_lines", {"order_number": number, **rest} if not rest:
                documents = self.client.orders_by_number(number)
            case "order_lines", {"order_id": order_id, **rest} if not rest:
                order = self.client.order(order_id)
                documents = [order] if order else []
            case "products", {"sku": sku, **rest} if not rest:
                documents = self.client.product(sku)
            case _:
                raise unknown_key(self, entity, key)
        return self._readers[entity].records(documents)


def make_source(system: System, environment: Mapping[str, str]) -> OmsSource:
    return OmsSource(system, OmsClient(system, environment))
