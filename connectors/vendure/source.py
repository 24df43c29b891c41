"""What can be read from Vendure: items, customers, stock, and everything about its orders."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.base import Page, Record, SourceError
from connectors.cursors import instant, iso_milliseconds, latest
from connectors.documents import DocumentReader
from connectors.http import HttpClient
from connectors.reading import clocked_page, source_now, unknown_entity, unknown_key
from connectors.vendure.client import LARGEST_PAGE, VendureClient
from connectors.vendure.orders import (
    fulfilment_documents,
    history_documents,
    money,
    order_lines_document,
    payment_documents,
    refund_documents,
)
from connectors.vendure.watch import Selection, Watch
from registry.contracts import contracts_of
from registry.errors import ConfigurationError
from registry.systems import System

FINAL_STATES = ("Delivered", "Cancelled")
LOOK_BACK_DAYS = 14.0
MONEY_PRECISION = 2

_ORDER = "code state updatedAt orderPlacedAt "
_HISTORY = (
    f"history(options: {{take: {LARGEST_PAGE}, sort: {{createdAt: ASC}}}})"
    " { totalItems items { id type createdAt updatedAt data } } "
)
_FULFILMENTS = (
    "fulfillments { id createdAt updatedAt state method trackingCode"
    " lines { orderLineId quantity } } "
)
_VARIANT = "updatedAt sku name enabled price currencyCode"
_LEVELS = (
    "sku stockLevels { updatedAt stockLocationId stockOnHand stockAllocated"
    " stockLocation { name } }"
)
_CUSTOMER = "updatedAt emailAddress firstName lastName"
# Vendure's type of an allocation answers null for its order line though it must not: not asked for.
_MOVEMENTS = (
    "sku stockMovements(options: {skip: %d, take: %d}) { totalItems items {"
    " ... on StockMovement { id createdAt updatedAt type quantity } } }"
)

_ALL_MOVEMENTS = _MOVEMENTS % (0, LARGEST_PAGE)
# Entities of which records vanish, by the list that shows what is left.
_SWEPT = {"product_variants": "productVariants", "customers": "customers"}

Node = dict[str, Any]


@dataclass(frozen=True)
class _OfOrders:
    """An entity that hangs under orders: what must be asked for, and its documents."""

    fields: str
    documents: Callable[[Node], Iterable[Node]]


class VendureSource:
    """Reads one Vendure.

    Options: ``look_back_days`` (14) and ``final_states`` (Delivered, Cancelled), see
    connectors/vendure/watch.py; ``order_reference_field``, the custom field of orders that holds an
    outside reference; ``money_precision`` (2), the decimals of Vendure's MoneyStrategy.
    """

    def __init__(self, system: System, client: VendureClient) -> None:
        self.system = system
        self.client = client
        contracts = contracts_of("vendure")
        self._readers = {entity: DocumentReader(contracts[entity]) for entity in contracts}
        options = system.options
        self._look_back = system.days("look_back_days", LOOK_BACK_DAYS)
        self._final_states = _states(system, options.get("final_states", FINAL_STATES))
        self._precision = system.whole_number("money_precision", MONEY_PRECISION)
        reference = options.get("order_reference_field")
        self._reference = str(reference) if reference else None
        self._of_orders = self._entities_of_orders()

    @property
    def entities(self) -> tuple[str, ...]:
        # Items first: an order line whose item is still unknown can't be compared. Stock last: what
        # an order did to it is then known.
        return (
            "product_variants",
            "customers",
            *self._of_orders,
            "stock_movements",
            "stock_levels",
        )

    def probe(self) -> None:
        self.client.query("{ orders(options: {take: 1}) { totalItems } }")

    @property
    def swept(self) -> frozenset[str]:
        """Deleted items and customers are not listed any more; orders can't be deleted."""
        return frozenset(_SWEPT)

    def keys(self, entity: str) -> Iterator[list[str]]:
        """See connectors.base.SweptSource. The count before and after is what was announced."""
        listing = _SWEPT[entity]
        announced, found = self.client.total(listing), 0
        for rows in self.client.created(listing, ""):
            found += len(rows)
            yield [row["id"] for row in rows]
        announced = min(announced, self.client.total(listing))
        if found < announced:
            raise SourceError(
                "unstable_pages",
                f"{self.system.name} announces {announced:,} {entity} and shows {found:,}: nothing "
                f"is taken for deleted, and the next pass looks again",
            )

    def pages(self, entity: str, cursor: str | None) -> Iterator[Page]:
        """The cursor of what hangs under orders is a Watch, that of customers the latest
        ``updatedAt``, that of stock movements their number by variant. Items and stock levels are
        read whole: a price or a balance changes without a trace in the variant's ``updatedAt``.

        Lists are read by creation, so that only the end of a reading says how far it reached: all
        pages before the last carry the cursor from which it began.
        """
        if entity in self._of_orders:
            return self._order_pages(entity, cursor)
        match entity:
            case "product_variants":
                return self._whole(entity, _VARIANT, self._variant_documents)
            case "stock_levels":
                return self._whole(entity, _LEVELS, _levels_documents)
            case "stock_movements":
                return self._movement_pages(cursor)
            case "customers":
                return self._customer_pages(cursor)
        raise unknown_entity(self, entity)

    def read_one(self, entity: str, key: Mapping[str, str]) -> list[Record]:
        """What hangs under orders by ``order_code`` or ``order_id``; ``product_variants``,
        ``stock_levels`` and ``stock_movements`` by ``sku``; ``customers`` by ``email``."""
        if entity in self._of_orders:
            match dict(key):
                case {"order_code": code, **rest} if not rest:
                    condition: dict[str, Any] = {"code": {"eq": code}}
                case {"order_id": identity, **rest} if not rest:
                    condition = {"id": {"eq": identity}}
                case _:
                    raise unknown_key(self, entity, key)
            placed = {"orderPlacedAt": {"isNull": False}}
            fields = _ORDER + self._of_orders[entity].fields
            orders = self.client.matching("orders", fields, {"_and": [placed, condition]})
            return self._records_of_orders(entity, orders)
        match entity, dict(key):
            case "customers", {"email": email, **rest} if not rest:
                found = self.client.matching(
                    "customers", _CUSTOMER, {"emailAddress": {"eq": email}}
                )
                return self._readers[entity].records(found)
            case "product_variants", {"sku": sku, **rest} if not rest:
                documents = self._variant_documents(self._by_sku(_VARIANT, sku))
            case "stock_levels", {"sku": sku, **rest} if not rest:
                documents = _levels_documents(self._by_sku(_LEVELS, sku))
            case "stock_movements", {"sku": sku, **rest} if not rest:
                documents = self._movement_documents(self._by_sku(_ALL_MOVEMENTS, sku))
            case _:
                raise unknown_key(self, entity, key)
        return self._readers[entity].records(documents)

    # ---- what hangs under orders -----------------------------------------------------------

    def _entities_of_orders(self) -> dict[str, _OfOrders]:
        custom = f"customFields {{ {self._reference} }} " if self._reference else ""
        lines = "lines { id createdAt } "
        money_back = "refunds { id createdAt updatedAt total state reason transactionId } "
        payments = "payments { id createdAt updatedAt method amount state transactionId %s} "
        return {
            "order_lines": _OfOrders(
                "type currencyCode customer { id emailAddress } lines { id createdAt quantity"
                " orderPlacedQuantity unitPrice productVariant { id sku } } "
                + custom
                + _FULFILMENTS
                + _HISTORY,
                lambda order: [order_lines_document(order, self._precision, self._reference)],
            ),
            "order_history": _OfOrders(_HISTORY, history_documents),
            "fulfilment_lines": _OfOrders(lines + _FULFILMENTS + _HISTORY, fulfilment_documents),
            "payments": _OfOrders(
                "currencyCode " + payments % "",
                lambda order: payment_documents(order, self._precision),
            ),
            "refunds": _OfOrders(
                "currencyCode " + payments % money_back,
                lambda order: refund_documents(order, self._precision),
            ),
        }

    def _order_pages(self, entity: str, cursor: str | None) -> Iterator[Page]:
        fields = _ORDER + self._of_orders[entity].fields
        start = _Start(self.client.http)
        selection = Selection(
            Watch.parse(cursor),
            source_now(self.client.http),
            self._look_back,
            self._overlap(),
            self._final_states,
        )
        seen: set[str] = set()
        changed = [selection.last.reached]
        late: dict[str, str] = {}

        def selected() -> Iterator[list[Node]]:
            yield from self.client.created("orders", fields, selection.conditions())
            yield from self.client.by_ids("orders", fields, selection.remembered(seen))

        for orders in selected():
            seen.update(order["id"] for order in orders)
            changed += [instant(order["updatedAt"]) for order in orders]
            late.update(selection.late(orders))
            yield self._page(entity, self._records_of_orders(entity, orders), cursor)
        reached = start.latest(changed)
        yield self._page(entity, [], str(Watch(reached, selection.since, late)))

    def _records_of_orders(self, entity: str, orders: Iterable[Node]) -> list[Record]:
        documents = self._of_orders[entity].documents
        reader = self._readers[entity]
        return [
            record
            for order in orders
            for record in reader.records(documents(self._with_history(order)))
        ]

    def _with_history(self, order: Node) -> Node:
        """The order with all of its history; only a very long one does not come with it."""
        history = order.get("history")
        if history is None or len(history["items"]) >= history["totalItems"]:
            return order
        items = list(history["items"])
        while len(items) < history["totalItems"]:
            more = self.client.query(
                "query($id: ID!, $options: HistoryEntryListOptions) { order(id: $id) {"
                " history(options: $options) { items { id type createdAt updatedAt data } } } }",
                id=order["id"],
                options={"take": LARGEST_PAGE, "skip": len(items), "sort": {"createdAt": "ASC"}},
            )["order"]["history"]["items"]
            if not more:
                break
            items += more
        return {**order, "history": {**history, "items": items}}

    # ---- items, customers, stock -----------------------------------------------------------

    def _whole(
        self, entity: str, fields: str, documents: Callable[[list[Node]], list[Node]]
    ) -> Iterator[Page]:
        for rows in self.client.created("productVariants", fields):
            yield self._page(entity, self._readers[entity].records(documents(rows)), None)

    def _customer_pages(self, cursor: str | None) -> Iterator[Page]:
        reached = instant(cursor)
        start = _Start(self.client.http)
        after = {"after": iso_milliseconds(reached - self._overlap())} if reached else None
        conditions = [{"updatedAt": after}] if after else []
        changed = [reached]
        for rows in self.client.created("customers", _CUSTOMER, conditions):
            changed += [instant(row["updatedAt"]) for row in rows]
            yield self._page("customers", self._readers["customers"].records(rows), cursor)
        reached = start.latest(changed)
        yield self._page("customers", [], iso_milliseconds(reached) if reached else cursor)

    def _movement_pages(self, cursor: str | None) -> Iterator[Page]:
        """Movements are only ever added, and are listed by variant without a filter by time: read
        are those of variants whose number of movements changed."""
        known: dict[str, int] = json.loads(cursor) if cursor else {}
        counts: dict[str, int] = {}
        for variants in self.client.created("productVariants", _MOVEMENTS % (0, 1)):
            told = {one["id"]: one["stockMovements"]["totalItems"] for one in variants}
            counts |= told
            grown = [one for one, count in told.items() if count != known.get(one, 0)]
            for full in self.client.by_ids("productVariants", _ALL_MOVEMENTS, grown):
                records = self._readers["stock_movements"].records(self._movement_documents(full))
                yield self._page("stock_movements", records, cursor)
        yield self._page("stock_movements", [], json.dumps(counts, separators=(",", ":")))

    def _movement_documents(self, variants: list[Node]) -> list[Node]:
        """One of each variant that ever moved."""
        documents = [self._movements(variant) for variant in variants]
        return [document for document in documents if document["movements"]]

    def _movements(self, variant: Node) -> Node:
        """All movements of a variant; only a very long list does not come with it."""
        items = list(variant["stockMovements"]["items"])
        while len(items) < variant["stockMovements"]["totalItems"]:
            more = self.client.query(
                "query($id: ID!) { productVariant(id: $id) { "
                + _MOVEMENTS % (len(items), LARGEST_PAGE)
                + " } }",
                id=variant["id"],
            )["productVariant"]["stockMovements"]["items"]
            if not more:
                break
            items += more
        return {"variantId": variant["id"], "sku": variant["sku"], "movements": items}

    def _by_sku(self, fields: str, sku: str) -> list[Node]:
        return self.client.matching("productVariants", fields, {"sku": {"eq": sku}})

    def _variant_documents(self, variants: list[Node]) -> list[Node]:
        return [{**one, "price": money(one["price"], self._precision)} for one in variants]

    def _page(self, entity: str, records: list[Record], cursor: str | None) -> Page:
        return clocked_page(self.client.http, entity, records, cursor)

    def _overlap(self) -> timedelta:
        # At least the millisecond that Vendure cuts off.
        return timedelta(seconds=max(self.system.settle_seconds, 0.001))


class _Start:
    """The moment at which a reading began: the earliest that the source's clock may have shown.

    What changes while lists are read may have been passed already, so that a cursor must not go
    beyond the beginning.
    """

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._began = http.now()

    def latest(self, moments: Iterable[datetime | None]) -> datetime | None:
        """The latest of some moments that lies before the beginning."""
        offset = self._http.clock.offset()
        behind = offset.seconds - offset.uncertainty_seconds if offset else 0.0
        return latest(moments, self._began + timedelta(seconds=behind))


def _levels_documents(variants: list[Node]) -> list[Node]:
    """One of each variant that is kept anywhere: one whose stock is not tracked has no levels."""
    return [
        {
            "variantId": variant["id"],
            "sku": variant["sku"],
            "levels": [
                {
                    "stockLocationId": level["stockLocationId"],
                    "location": level["stockLocation"]["name"],
                    "stockOnHand": level["stockOnHand"],
                    "stockAllocated": level["stockAllocated"],
                    "updatedAt": level["updatedAt"],
                }
                for level in variant["stockLevels"]
            ],
        }
        for variant in variants
        if variant["stockLevels"]
    ]


def _states(system: System, told: object) -> tuple[str, ...]:
    if not isinstance(told, list | tuple):
        raise ConfigurationError(
            f"system '{system.name}': options.final_states must be a list of Vendure's order "
            f'states, for example ["Delivered", "Cancelled"]'
        )
    return tuple(str(state) for state in told)


def make_source(system: System, environment: Mapping[str, str]) -> VendureSource:
    """For connectors.factory; raises ConfigurationError when a secret is missing."""
    return VendureSource(system, VendureClient(system, environment))
