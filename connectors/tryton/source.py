"""What can be read from Tryton: documents followed through all that changes them, and balances."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from connectors.base import Page, Record
from connectors.cursors import instant, latest
from connectors.documents import DocumentReader
from connectors.reading import clocked_page, source_now, unknown_entity, unknown_key
from connectors.tryton.client import IDS_AT_ONCE, MODIFIED, TrytonClient
from connectors.tryton.documents import Document, Documents
from connectors.tryton.entities import ENTITIES, STOCK, Entity
from connectors.tryton.wire import Row
from registry.contracts import contracts_of
from registry.systems import System

CONNECTOR = "tryton"


class TrytonSource:
    """Reads one database. The cursor holds, for each model that an entity follows, how far it was
    read: ``{"sale.sale": "2026-11-25T19:14:51.846924Z", "sale.line": ...}``.

    Balances have no change time and are read whole; they come last, after the ledger.
    """

    def __init__(self, system: System, client: TrytonClient) -> None:
        self.system = system
        self.client = client
        contracts = contracts_of(CONNECTOR)
        offered = (*ENTITIES, STOCK)
        self._entities = tuple(name for name in offered if contracts[name].is_told_by(system.role))
        self._readers = {name: DocumentReader(contracts[name]) for name in self._entities}
        self._fields = {
            name: {column.source_field for column in contracts[name].columns}
            for name in self._entities
        }

    @property
    def entities(self) -> tuple[str, ...]:
        return self._entities

    @property
    def swept(self) -> frozenset[str]:
        """Entities of which records can vanish; ``keys`` tells which are left."""
        return frozenset(name for name in self._entities if name != STOCK and ENTITIES[name].swept)

    def probe(self) -> None:
        self.client.search("stock.location", [], ["code"], limit=1)

    def pages(self, entity: str, cursor: str | None) -> Iterator[Page]:
        if entity not in self._entities:
            raise unknown_entity(self, entity)
        if entity == STOCK:
            yield from self._stock()
            return
        yield from _Reading(self, ENTITIES[entity], cursor).pages(entity)

    def page(self, entity: str, documents: Sequence[Document], cursor: str | None) -> Page:
        """Documents as a page of records, one a line."""
        return clocked_page(self.client.http, entity, self._records(entity, documents), cursor)

    def _records(self, entity: str, documents: Sequence[Document]) -> list[Record]:
        """Without what was asked for only to put the documents together."""
        fields = self._fields[entity]
        return self._readers[entity].records(
            {
                name: (
                    [{n: v for n, v in line.items() if f"lines[].{n}" in fields} for line in value]
                    if name == "lines"
                    else value
                )
                for name, value in document.items()
                if name in fields or name == "lines"
            }
            for document in documents
        )

    def keys(self, entity: str) -> Iterator[list[str]]:
        """The ids of all records of an entity that are there now, page by page."""
        swept = ENTITIES[entity].swept if entity in self.swept else None
        if swept is None:
            raise unknown_entity(self, entity)
        model, domain = swept
        for ids in self.client.ids(model, domain):
            yield [str(record_id) for record_id in ids]

    def read_one(self, entity: str, key: Mapping[str, str]) -> list[Record]:
        """Keys: sale_lines sale_number or reference; fulfilment_lines reference, shipment_number
        or sale_number; invoice_lines invoice_number, shipment_reference or sale_number;
        purchase_lines purchase_number or reference; warehouse_order_lines, shipment_lines and
        receipt_lines reference or shipment_number; stock_movements document or posting; count_lines
        count_number; products, parties and locations code; stock product_code with warehouse.
        """
        if entity not in self._entities:
            raise unknown_entity(self, entity)
        if entity == STOCK:
            if set(key) != {"product_code", "warehouse"}:
                raise unknown_key(self, entity, key)
            return self._records(entity, self._balances(key["warehouse"], key["product_code"]))
        asked = ENTITIES[entity]
        if len(key) != 1 or not set(key) <= set(asked.keys):
            raise unknown_key(self, entity, key)
        ((column, value),) = key.items()
        rows = self.client.search(
            asked.model,
            [*asked.domain, *asked.keys[column](value)],
            [*asked.fields, MODIFIED],
            active_test=False,
        )
        return self._records(entity, asked.build(Documents(self.client), rows))

    # ---- balances ----------------------------------------------------------------------------

    def _stock(self) -> Iterator[Page]:
        for warehouse in self._warehouses():
            yield self.page(STOCK, self._balances(warehouse), None)

    def _warehouses(self) -> list[str]:
        rows = self.client.search("stock.location", [["type", "=", "warehouse"]], ["code"])
        return sorted(row["code"] for row in rows if row["code"])

    def _balances(self, warehouse: str, code: str | None = None) -> list[Document]:
        """Units of every item in a warehouse, between two moments of the source's clock."""
        places = self.client.search("stock.location", [["code", "=", warehouse]], ["code"])
        items: list[Any] = [["type", "=", "goods"]]
        if code is not None:
            items.append(["code", "=", code])
        began = source_now(self.client.http)
        # Without places Tryton answers 0 for each.
        rows = self.client.search(
            "product.product",
            items,
            ["code", "quantity"],
            locations=[place["id"] for place in places],
            with_childs=True,
        )
        ended = source_now(self.client.http)
        return [
            {
                **row,
                "warehouse": warehouse,
                "read_from": _text(began),
                "read_to": _text(ended),
            }
            for row in rows
            if places
        ]


class _Reading:
    """One extraction of one entity: its own model first, then each model that it follows."""

    def __init__(self, source: TrytonSource, entity: Entity, cursor: str | None) -> None:
        self._source = source
        self._client = source.client
        self._settle = timedelta(seconds=source.system.settle_seconds)
        self._entity = entity
        self._documents = Documents(source.client)
        self._reached: dict[str, str] = json.loads(cursor) if cursor else {}
        # What was told in this extraction already, and when it was read.
        self._told: dict[int, str] = {}
        self._read_at: dict[int, datetime] = {}

    def pages(self, entity: str) -> Iterator[Page]:
        self._source.probe()
        began = source_now(self._client.http) - 2 * self._uncertainty()
        for followed in self._entity.followed:
            # All headers are read after this moment: what is older will show in them.
            self._reached.setdefault(followed.model, _text(began - self._settle))
        for documents in self._own():
            yield self._source.page(entity, documents, self._cursor())
        for followed in self._entity.followed:
            since = self._since(followed.model)
            fields = followed.fields
            for rows in self._client.changed(followed.model, followed.domain, fields, since):
                documents = self._changed_through(followed.headers, rows)
                self._reach(followed.model, rows)
                yield self._source.page(entity, documents, self._cursor())
        # Read to their ends, all models are known up to the beginning: without this, what was
        # written last, perhaps thousands of records at one instant, would be read in every pass.
        for model in (self._entity.model, *(f.model for f in self._entity.followed)):
            reached = instant(self._reached.get(model))
            if reached is None or reached < began:
                self._reached[model] = _text(began)
        yield self._source.page(entity, [], self._cursor())

    def _uncertainty(self) -> timedelta:
        offset = self._client.http.clock.offset()
        return timedelta(seconds=offset.uncertainty_seconds if offset else 0.0)

    def _own(self) -> Iterator[list[Document]]:
        entity = self._entity
        since = self._since(entity.model)
        for rows in self._client.changed(entity.model, entity.domain, entity.fields, since):
            documents = self._build(rows)
            self._reach(entity.model, rows)
            yield documents

    def _changed_through(self, headers: Any, rows: Sequence[Row]) -> list[Document]:
        entity = self._entity
        found: dict[int, Row] = {}
        for start in range(0, len(rows), IDS_AT_ONCE):
            some = self._client.search(
                entity.model,
                [*entity.domain, *headers(rows[start : start + IDS_AT_ONCE])],
                [*entity.fields, MODIFIED],
                active_test=False,
            )
            found |= {row["id"]: row for row in some}
        newest = latest((instant(row[MODIFIED]) for row in rows), source_now(self._client.http))
        stale = [
            row
            for row in found.values()
            # Read long enough after the change, its document shows the change already.
            if newest is None
            or row["id"] not in self._read_at
            or self._read_at[row["id"]] - self._settle <= newest
        ]
        return self._build(stale)

    def _build(self, rows: Sequence[Row]) -> list[Document]:
        """Documents that this extraction did not tell yet, or not with this content."""
        now = source_now(self._client.http)
        fresh = []
        for document in self._entity.build(self._documents, rows):
            record_id = document["id"]
            text = json.dumps(document, sort_keys=True)
            self._read_at[record_id] = now
            if self._told.get(record_id) != text:
                self._told[record_id] = text
                fresh.append(document)
        return fresh

    def _since(self, model: str) -> datetime | None:
        reached = instant(self._reached.get(model))
        return None if reached is None else reached - self._settle

    def _reach(self, model: str, rows: Sequence[Row]) -> None:
        """Note how far a model was read; a time in the future must not hide what comes."""
        now = source_now(self._client.http)
        moments = [instant(row[MODIFIED]) for row in rows]
        moment = latest([*moments, instant(self._reached.get(model))], now)
        if moment is not None:
            self._reached[model] = _text(moment)

    def _cursor(self) -> str | None:
        return json.dumps(self._reached, sort_keys=True) if self._reached else None


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def make_source(system: System, environment: Mapping[str, str]) -> TrytonSource:
    """For connectors.factory; raises ConfigurationError when a secret is missing."""
    return TrytonSource(system, TrytonClient(system, environment))
