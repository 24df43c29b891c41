"""Documents of a real Tryton ERP, beside what its own clients do: JSON-RPC, flat or nested.

All cases read the same lines, but only ours tells when each document came into each of its states,
and reads what changes while it pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from bench.connectors import Case
from connectors.base import Source
from connectors.factory import make_source
from connectors.tryton.entities import ENTITIES
from real.tryton.company import Catalogue, Item
from real.tryton.people import Line, Office, Order
from real.tryton.rpc import Tryton
from real.tryton.server import Database, TrytonServer
from registry.systems import System

LINES = 3
MOST_ORDERS = 100  # each takes Tryton some tenths of a second, from entry to posted invoice
PAGE = 500
PRICE, COST = Decimal(5), Decimal(3)
SKUS = tuple(f"PART-{number}" for number in range(1, LINES + 1))
CATALOGUE = Catalogue(
    items=tuple(Item(sku, f"Item {sku}", PRICE, COST) for sku in SKUS),
    customers={"C001": "Customer 1"},
    suppliers={},
    opening_stock={"EAST": 1_000_000},
)


@dataclass(frozen=True)
class _Lines:
    """The lines of an entity's documents: their model, which of its records, what is read of each;
    ``nested`` is the field of the document that holds them."""

    entity: str
    nested: str
    model: str
    domain: tuple[Any, ...]
    fields: tuple[str, ...]


DOCUMENTS = (
    _Lines(
        "sale_lines",
        "lines",
        "sale.line",
        (("type", "=", "line"),),
        (
            *("sequence", "product.code", "quantity", "unit.symbol", "unit.factor"),
            *("unit_price", "moves_ignored", "last_modified_at"),
        ),
    ),
    _Lines(
        "fulfilment_lines",
        "outgoing_moves",
        "stock.move",
        (
            ("shipment", "like", "stock.shipment.out,%"),
            ("to_location.type", "=", "customer"),
            ("state", "=", "done"),
        ),
        ("shipment", "product.code", "internal_quantity", "origin", "state", "last_modified_at"),
    ),
    _Lines(
        "invoice_lines",
        "lines",
        "account.invoice.line",
        (("type", "=", "line"), ("invoice.type", "=", "out"), ("invoice.state", "=", "posted")),
        (
            *("product.code", "quantity", "unit_price", "origin", "stock_moves"),
            *("stock_moves.shipment", "last_modified_at"),
        ),
    ),
)


def cases(records: int, folder: Path) -> Iterator[Case]:
    """Lines of sales, fulfilments and invoices: ours; model by model; with the lines nested."""
    with TrytonServer(folder, CATALOGUE) as databases:
        erp = databases["erp"]
        _trade(erp, min(max(records // (LINES * len(DOCUMENTS)), 1), MOST_ORDERS))
        source = _source(erp)
        with closing(Tryton(erp.url, erp.user, erp.password)) as session:
            yield Case("documents put together", partial(_ours, source))
            yield Case("JSON-RPC, model by model", partial(_flat, session))
            yield Case("JSON-RPC, lines nested in headers", partial(_nested, session))


def _trade(erp: Database, orders: int) -> None:
    """Orders, all the way from entry to a posted invoice."""
    with closing(erp.admin()) as session:
        office = Office(session)
        lines = tuple(Line(number, sku, 2, PRICE) for number, sku in enumerate(SKUS, 1))
        sales = office.book(
            [Order(f"WEB-{number:04}", "C001", "EAST", lines) for number in range(orders)]
        )
        office.confirm(sales)
        shipments = [shipment for some in office.open_shipments(sales) for shipment in some]
        office.post_shipments({shipment: f"WD-{shipment}" for shipment in shipments})
        office.post_invoices([invoice for some in office.draft_invoices(sales) for invoice in some])


def _source(erp: Database) -> Source:
    system = System(
        name="erp",
        role="erp",
        connector="tryton",
        base_url=erp.url,
        page_size=PAGE,
        # Nobody writes while we read: nothing has to be read a second time.
        settle_seconds=0,
        requests_per_second=10_000,
        secrets={"api_key": "KEY"},
    )
    return make_source(system, {"KEY": erp.keys["connector"]})


def _ours(source: Source) -> int:
    return sum(
        len(page.records) for lines in DOCUMENTS for page in source.pages(lines.entity, None)
    )


def _flat(session: Tryton) -> int:
    """Headers and lines, each model by itself; whose line is whose remains to be found out."""
    found = 0
    for lines in DOCUMENTS:
        entity = ENTITIES[lines.entity]
        for _ in _pages(session, entity.model, entity.domain, entity.fields):
            pass
        for rows in _pages(session, lines.model, lines.domain, lines.fields):
            found += len(rows)
    return found


def _nested(session: Tryton) -> int:
    found = 0
    for lines in DOCUMENTS:
        entity = ENTITIES[lines.entity]
        fields = (*entity.fields, *(f"{lines.nested}.{field}" for field in lines.fields))
        for rows in _pages(session, entity.model, entity.domain, fields):
            found += sum(len(row[f"{lines.nested}."]) for row in rows)
    return found


def _pages(
    session: Tryton, model: str, domain: Sequence[Any], fields: Sequence[str]
) -> Iterator[list[dict[str, Any]]]:
    """By offset, as Tryton's own client lists records."""
    offset = 0
    while True:
        rows = session(
            *(f"model.{model}.search_read", list(domain), offset, PAGE),
            *([("id", "ASC")], list(fields)),
        )
        yield rows
        if len(rows) < PAGE:
            return
        offset += PAGE
