"""What can be read from S/4HANA: products, sales orders, deliveries, billing, purchase orders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from connectors.base import Page, Record, SourceError
from connectors.cursors import instant, iso_milliseconds, latest
from connectors.documents import DocumentReader
from connectors.reading import clocked_page, source_now, unknown_entity, unknown_key
from connectors.sap_odata.client import ROOT, SapClient, moment, text_literal, time_literal
from registry.contracts import Contract, contracts_of
from registry.systems import System

# The contracts' name for the time of the last change; ``options.change_field`` says which field of
# the system it is.
CHANGE_FIELD = "LastChangeDate"
# Every kind that is dated has it, as a day of the system's own zone.
_CREATION_FIELD = "CreationDate"
# Before any document: what is not before it has a time.
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Document:
    """Where a kind of document lies. ``items``: (navigation, set, key) of its items.

    ``keys``: contract columns by which it is looked up -> the field, of the header or, in
    ``item_keys``, of an item.
    """

    service: str
    entity_set: str
    key: str
    items: tuple[str, str, str] | None
    keys: Mapping[str, str]
    item_keys: Mapping[str, str] = field(default_factory=dict)
    is_dated: bool = True

    @property
    def path(self) -> str:
        return f"{self.service}/{self.entity_set}"


DOCUMENTS = {
    "products": Document("API_PRODUCT_SRV", "A_Product", "Product", None, {"product": "Product"}),
    "sales_order_items": Document(
        "API_SALES_ORDER_SRV",
        "A_SalesOrder",
        "SalesOrder",
        ("to_Item", "A_SalesOrderItem", "SalesOrderItem"),
        {"sales_order": "SalesOrder", "customer_reference": "PurchaseOrderByCustomer"},
    ),
    "delivery_items": Document(
        "API_OUTBOUND_DELIVERY_SRV",
        "A_OutbDeliveryHeader",
        "DeliveryDocument",
        ("to_DeliveryDocumentItem", "A_OutbDeliveryItem", "DeliveryDocumentItem"),
        {"delivery": "DeliveryDocument"},
        {"sales_order": "ReferenceSDDocument"},
    ),
    "billing_items": Document(
        "API_BILLING_DOCUMENT_SRV",
        "A_BillingDocument",
        "BillingDocument",
        ("to_Item", "A_BillingDocumentItem", "BillingDocumentItem"),
        {"billing_document": "BillingDocument"},
        {"sales_order": "SalesDocument"},
    ),
    # Purchase orders carry no time of their last change: they are read whole.
    "purchase_order_items": Document(
        "API_PURCHASEORDER_PROCESS_SRV",
        "A_PurchaseOrder",
        "PurchaseOrder",
        ("to_PurchaseOrderItem", "A_PurchaseOrderItem", "PurchaseOrderItem"),
        {"purchase_order": "PurchaseOrder"},
        is_dated=False,
    ),
}


class SapSource:
    """Reads one S/4HANA system. The cursor is the latest change seen, ISO 8601 in UTC.

    Documents that are deleted leave no trace in what is read, so that their keys are swept.
    """

    def __init__(self, system: System, client: SapClient) -> None:
        self.system = system
        self.client = client
        contracts = contracts_of("sap_odata")
        self._readers = {entity: DocumentReader(contracts[entity]) for entity in DOCUMENTS}
        self._asked = {entity: _asked_fields(contracts[entity]) for entity in DOCUMENTS}
        self._change_field = str(system.options.get("change_field", CHANGE_FIELD))

    @property
    def entities(self) -> tuple[str, ...]:
        return tuple(DOCUMENTS)

    @property
    def swept(self) -> frozenset[str]:
        return frozenset(DOCUMENTS) - {"products"}

    def probe(self) -> None:
        self.client.http.get_json(f"{ROOT}/{DOCUMENTS['products'].path}", {"$top": 1})

    def pages(self, entity: str, cursor: str | None) -> Iterator[Page]:
        if entity not in DOCUMENTS:
            raise unknown_entity(self, entity)
        document = DOCUMENTS[entity]
        reached = instant(cursor)
        keys, first = [document.key], None
        if document.is_dated:
            floor = _EARLIEST
            if reached:
                floor = self._floor(reached)
            # First, so that a cursor that moves on never passes over one of them.
            yield from self._never_changed(entity, cursor, floor)
            keys.insert(0, self._change_field)
            first = self._since(self._change_field, floor)
        for documents in self.client.sorted_by(
            document.path, keys, first, select=self._select(entity), expand=_expand(document)
        ):
            if document.is_dated:
                # One document dated in the future must not hide everything after it.
                now = source_now(self.client.http)
                told = (moment(d.get(self._change_field)) for d in documents)
                reached = latest([reached, *told], now)
            yield clocked_page(
                self.client.http,
                entity,
                self._records(entity, documents),
                iso_milliseconds(reached) if reached else cursor,
            )

    def _floor(self, reached: datetime) -> datetime:
        """From when on changes are read again. A source that tells days puts all of a day at its
        midnight, also what is shown only after the first document of the day that follows."""
        floor = reached - timedelta(seconds=self.system.settle_seconds)
        if reached.time() == time() and not self._change_field.endswith("DateTime"):
            yesterday = reached - timedelta(days=1)
            return min(datetime.combine(floor.date(), time(), UTC), yesterday)
        return floor

    def _never_changed(self, entity: str, cursor: str | None, floor: datetime) -> Iterator[Page]:
        """Documents without a time of change: what S/4HANA has until they are first changed.

        By their day of creation, with a day to spare for the system's zone.
        """
        document = DOCUMENTS[entity]
        condition = f"{self._change_field} eq null"
        if floor > _EARLIEST:
            day = datetime.combine(floor.date() - timedelta(days=1), time(), UTC)
            condition += f" and {self._since(_CREATION_FIELD, day)}"
        for documents in self.client.sorted_by(
            document.path,
            [document.key],
            always=condition,
            select=self._select(entity),
            expand=_expand(document),
        ):
            if documents:
                yield clocked_page(
                    self.client.http, entity, self._records(entity, documents), cursor
                )

    def keys(self, entity: str) -> Iterator[list[str]]:
        """See connectors.base.SweptSource. The count before and after is what was announced."""
        items = DOCUMENTS[entity].items
        if items is None:
            raise unknown_entity(self, entity)
        document = DOCUMENTS[entity]
        path, names = f"{document.service}/{items[1]}", [document.key, items[2]]
        announced, found = self.client.count(path), 0
        for page in self.client.sorted_by(path, names, select=",".join(names)):
            found += len(page)
            yield ["/".join(str(row[name]) for name in names) for row in page]
        announced = min(announced, self.client.count(path))
        if found < announced:
            raise SourceError(
                "unstable_pages",
                f"{self.system.name} announces {announced:,} {entity} and shows {found:,}: nothing "
                f"is taken for deleted, and the next pass looks again",
            )

    def read_one(self, entity: str, key: Mapping[str, str]) -> list[Record]:
        """Keys: products product; sales_order_items sales_order or customer_reference;
        delivery_items delivery or sales_order; billing_items billing_document or sales_order;
        purchase_order_items purchase_order.
        """
        document = DOCUMENTS.get(entity)
        if document is None or len(key) != 1:
            raise unknown_key(self, entity, key)
        ((column, value),) = key.items()
        if column in document.keys:
            condition = f"{document.keys[column]} eq {text_literal(value)}"
        elif document.items and column in document.item_keys:
            numbers = self._headers_of_items(document, document.item_keys[column], value)
            condition = " or ".join(f"{document.key} eq {text_literal(n)}" for n in numbers)
            if not numbers:
                return []
        else:
            raise unknown_key(self, entity, key)
        found = self.client.query(
            document.path,
            filter=condition,
            select=self._select(entity),
            expand=_expand(document),
        )
        return [r for documents in found for r in self._records(entity, documents)]

    def _headers_of_items(self, document: Document, name: str, value: str) -> list[str]:
        assert document.items is not None
        pages = self.client.query(
            f"{document.service}/{document.items[1]}",
            filter=f"{name} eq {text_literal(value)}",
            select=document.key,
        )
        return sorted({str(item[document.key]) for page in pages for item in page})

    def _since(self, name: str, floor: datetime) -> str:
        return f"{name} ge {time_literal(name, floor)}"

    def _select(self, entity: str) -> str:
        header, items = self._asked[entity]
        document = DOCUMENTS[entity]
        names = [self._change_field if name == CHANGE_FIELD else name for name in header]
        if document.items:
            names += [f"{document.items[0]}/{name}" for name in items]
        return ",".join(names)

    def _records(self, entity: str, documents: list[dict[str, Any]]) -> list[Record]:
        told = [self._plain(entity, document) for document in documents]
        if items := DOCUMENTS[entity].items:
            # Without items there is nothing to tell yet, or no more: a sweep finds those deleted.
            told = [each for each in told if not isinstance(each, dict) or each.get(items[0]) != []]
        return [
            replace(record, fields={n: _iso(v) for n, v in record.fields.items()})
            for record in self._readers[entity].records(told)
        ]

    def _plain(self, entity: str, document: Any) -> Any:
        """A document with its items as a list and only what was asked for: OData wraps both in
        links, and a service may send more than that."""
        if not isinstance(document, dict):
            return document
        header, item_fields = self._asked[entity]
        plain = {name: document[name] for name in header if name in document}
        if self._change_field in document:
            # One that was never changed stands as it was created.
            plain[CHANGE_FIELD] = document[self._change_field] or document.get(_CREATION_FIELD)
        items = DOCUMENTS[entity].items
        if items:
            wrapped = document.get(items[0])
            rows = wrapped.get("results") if isinstance(wrapped, dict) else None
            if rows is not None:
                plain[items[0]] = [
                    {name: row[name] for name in item_fields if name in row} for row in rows
                ]
        return plain


def _asked_fields(contract: Contract) -> tuple[list[str], list[str]]:
    """Fields of the header and of the items that a contract names."""
    header, items = [], []
    for column in contract.columns:
        _, separator, name = column.source_field.partition("[].")
        if separator:
            items.append(name)
        else:
            header.append(column.source_field)
    return header, items


def _expand(document: Document) -> str | None:
    return document.items[0] if document.items else None


def _iso(value: Any) -> Any:
    """``/Date(...)/`` as ISO 8601 in UTC; SAP's empty text, which stands for no value, as none."""
    at = moment(value)
    if at is not None:
        return iso_milliseconds(at)
    return None if value == "" else value


def make_source(system: System, environment: Mapping[str, str]) -> SapSource:
    return SapSource(system, SapClient(system, environment))
