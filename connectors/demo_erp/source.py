"""What can be read from the ERP: orders, what is posted and billed for them, stock, items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from zoneinfo import ZoneInfo

from connectors.base import Page, Record
from connectors.cursors import LOCAL_FORMAT, earliest_instant, local_floor, local_naive
from connectors.demo_erp.client import ErpClient
from connectors.documents import DocumentReader
from connectors.reading import clocked_page, note_order, source_now, unknown_entity, unknown_key
from registry.contracts import contracts_of
from registry.systems import System

# Contract entity -> the entity in the ERP's addresses, and the keys of its point filters.
PATHS = {
    "items": "items",
    "sales_order_lines": "sales_orders",
    "fulfilment_lines": "fulfilments",
    "invoice_lines": "invoices",
    "settlement_lines": "settlements",
    "periods": "periods",
    "stock_movements": "stock_movements",
    "stock": "stock",
}
KEYS = {
    "items": [{"item_no"}],
    "sales_order_lines": [{"doc_no"}, {"ext_ref"}],
    "fulfilment_lines": [{"ship_ref"}, {"ful_no"}, {"doc_no"}],
    "invoice_lines": [{"ship_ref"}, {"inv_no"}, {"doc_no"}],
    "settlement_lines": [{"set_no"}, {"inv_no"}, {"rma_no"}],
    "periods": [{"period"}],
    "stock_movements": [{"ref"}],
    "stock": [{"item_no", "whs"}],
}


class ErpSource:
    """Reads one ERP. The cursor is the latest ``modified`` seen, a naive local time.

    Stock has no change time and is read whole. It comes last, after the ledger that explains it.
    An ERP that keeps no settlements or periods has none: its ``entities`` in the systems file leave
    them out.
    """

    def __init__(self, system: System, client: ErpClient) -> None:
        self.system = system
        self.client = client
        self._zone = ZoneInfo(system.time_zone)
        contracts = contracts_of("demo_erp")
        self._readers = {entity: DocumentReader(contracts[entity]) for entity in PATHS}
        self._snapshots = {entity for entity in PATHS if contracts[entity].snapshot}

    @property
    def entities(self) -> tuple[str, ...]:
        return tuple(PATHS)

    def probe(self) -> None:
        self.client.http.get_json("api/items", {"page": 1, "per_page": 1})

    def pages(self, entity: str, cursor: str | None) -> Iterator[Page]:
        if entity not in PATHS:
            raise unknown_entity(self, entity)
        reader = self._readers[entity]
        if entity in self._snapshots:
            rows = self.client.snapshot(PATHS[entity])
            yield clocked_page(self.client.http, entity, reader.records(rows), None)
            return
        reached = local_naive(cursor)
        floor = None
        if reached:
            overlap = timedelta(seconds=self.system.settle_seconds)
            floor = local_floor(reached, overlap, self._zone).strftime(LOCAL_FORMAT)
        for documents in self.client.changed(PATHS[entity], floor):
            now = source_now(self.client.http)
            moments = [local_naive(d.get("modified")) for d in documents if isinstance(d, dict)]
            note_order(self.client.http, entity, moments)
            for moment in moments:
                # One document dated in the future must not hide everything after it.
                if moment is None or earliest_instant(moment, self._zone) > now:
                    continue
                reached = moment if reached is None else max(reached, moment)
            yield clocked_page(
                self.client.http,
                entity,
                reader.records(documents),
                reached.strftime(LOCAL_FORMAT) if reached else cursor,
            )

    def read_one(self, entity: str, key: Mapping[str, str]) -> list[Record]:
        """Keys: items item_no; sales_order_lines doc_no or ext_ref; fulfilment_lines ship_ref,
        ful_no or doc_no; invoice_lines ship_ref, inv_no or doc_no; settlement_lines set_no,
        inv_no or rma_no; periods period; stock_movements ref; stock item_no with whs.
        """
        if set(key) not in KEYS.get(entity, []):
            raise unknown_key(self, entity, key)
        return self._readers[entity].records(self.client.find(PATHS[entity], key))


def make_source(system: System, environment: Mapping[str, str]) -> ErpSource:
    return ErpSource(system, ErpClient(system, environment))
