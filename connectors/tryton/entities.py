"""Which entities Tryton offers, and how each is read: a table, with no network in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.tryton.documents import (
    CROSSING,
    RECEIPT,
    RETURN,
    REVERSAL,
    SHIPMENT,
    Builder,
    Documents,
)
from connectors.tryton.wire import Domain, Row, reference

SALE_LINE = "sale.line"
STOCK = "stock"


@dataclass(frozen=True)
class Followed:
    """A model whose change is a change of some document: ``headers`` says of which.

    ``fields`` are what ``headers`` needs of the rows that changed; ``domain`` leaves rows out.
    """

    model: str
    fields: tuple[str, ...]
    headers: Callable[[Sequence[Row]], Domain]
    domain: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Entity:
    """How the documents of one entity are read.

    ``fields`` of ``model`` are the header, ``build`` adds the lines. ``keys``: how a point read
    finds headers, by contract column. ``swept``: the model and domain of the records that are its
    lines, where those can vanish without a trace.
    """

    model: str
    fields: tuple[str, ...]
    build: Builder
    keys: Mapping[str, Callable[[str], Domain]]
    domain: tuple[Any, ...] = ()
    followed: tuple[Followed, ...] = ()
    swept: tuple[str, tuple[Any, ...]] | None = None


def _equals(path: str, model: str | None = None) -> Callable[[str], Domain]:
    """``path`` is the value; ``model`` is named where the path leads through a reference."""
    return lambda value: [[path, "=", value, *([model] if model else [])]]


def _by_field(field: str, path: str = "id") -> Callable[[Sequence[Row]], Domain]:
    return lambda rows: [[path, "in", sorted({row[field] for row in rows if row[field]})]]


def _by_reference(rows: Sequence[Row]) -> Domain:
    places = (reference(row["shipment"]) for row in rows)
    return [["id", "in", sorted({place[1] for place in places if place})]]


def _by_reversal(rows: Sequence[Row]) -> Domain:
    return [["number", "in", [row["reference"].removeprefix(REVERSAL) for row in rows]]]


def _by_posting(value: str) -> Domain:
    """The move of one side of it (``276/out``)."""
    move = value.partition("/")[0]
    return [["id", "=", int(move) if move.isdigit() else 0]]


def _by_document(value: str) -> Domain:
    """Moves of the shipment or count that has this reference or this number."""
    clauses: list[Any] = [[["origin.inventory.number", "=", value, "stock.inventory.line"]]]
    for model in CROSSING:
        if model != "stock.inventory":
            clauses.append([["shipment.reference", "=", value, model]])
            clauses.append([["shipment.number", "=", value, model]])
    return [["OR", *clauses]]


PARTNER = ("party.code", "currency.code")
SHIPMENT_FIELDS = ("number", "reference", "state", "effective_date", "warehouse.code")

ENTITIES: Mapping[str, Entity] = {
    "locations": Entity(
        "stock.location",
        ("code", "name", "type", "parent", "active"),
        Documents.plain,
        {"code": _equals("code")},
    ),
    "parties": Entity(
        "party.party",
        ("code", "name", "active"),
        Documents.plain,
        {"code": _equals("code")},
    ),
    "products": Entity(
        "product.product",
        (
            *("code", "active", "cost_price", "template.name", "template.type"),
            *("template.list_price", "template.default_uom.symbol", "template.last_modified_at"),
        ),
        Documents.products,
        {"code": _equals("code")},
        # The price lies in the template, whose change is none of the product.
        followed=(Followed("product.template", ("id",), _by_field("id", "template")),),
    ),
    "sale_lines": Entity(
        "sale.sale",
        (
            *("number", "reference", "description", "state", "shipment_state", "invoice_state"),
            *("sale_date", "origin", "warehouse.code", *PARTNER),
        ),
        Documents.sales,
        {"sale_number": _equals("number"), "reference": _equals("reference")},
        followed=(Followed(SALE_LINE, ("sale",), _by_field("sale")),),
        swept=(SALE_LINE, (["type", "=", "line"],)),
    ),
    "fulfilment_lines": Entity(
        SHIPMENT,
        SHIPMENT_FIELDS,
        Documents.fulfilments,
        {
            "shipment_number": _equals("number"),
            "reference": _equals("reference"),
            "sale_number": _equals("moves.origin.sale.number", SALE_LINE),
        },
        (["state", "=", "done"],),
        followed=(
            Followed(
                RETURN, ("reference",), _by_reversal, (["reference", "like", f"{REVERSAL}%"],)
            ),
        ),
    ),
    "invoice_lines": Entity(
        "account.invoice",
        ("number", "state", "description", "invoice_date", *PARTNER),
        Documents.invoices,
        {
            "invoice_number": _equals("number"),
            "shipment_reference": _equals("lines.stock_moves.shipment.reference", SHIPMENT),
            "sale_number": _equals("lines.origin.sale.number", SALE_LINE),
        },
        # A draft is nobody's word yet.
        (["type", "=", "out"], ["state", "in", ["posted", "paid", "cancelled"]]),
    ),
    "purchase_lines": Entity(
        "purchase.purchase",
        (
            *("number", "reference", "state", "shipment_state", "invoice_state"),
            *("purchase_date", "warehouse.code", *PARTNER),
        ),
        Documents.purchases,
        {"purchase_number": _equals("number"), "reference": _equals("reference")},
        followed=(Followed("purchase.line", ("purchase",), _by_field("purchase")),),
        swept=("purchase.line", (["type", "=", "line"],)),
    ),
    "warehouse_order_lines": Entity(
        SHIPMENT,
        SHIPMENT_FIELDS,
        Documents.warehouse_orders,
        {"reference": _equals("reference"), "shipment_number": _equals("number")},
        (["state", "!=", "draft"],),
        followed=(
            Followed(
                "stock.move",
                ("shipment",),
                _by_reference,
                (["shipment", "like", f"{SHIPMENT},%"],),
            ),
        ),
        swept=(
            "stock.move",
            (["shipment.state", "!=", "draft", SHIPMENT], ["to_location.type", "=", "customer"]),
        ),
    ),
    "shipment_lines": Entity(
        SHIPMENT,
        (*SHIPMENT_FIELDS, "shipping_reference"),
        Documents.shipments,
        {"shipment_number": _equals("number"), "reference": _equals("reference")},
        (["state", "=", "done"],),
    ),
    "receipt_lines": Entity(
        RECEIPT,
        (*SHIPMENT_FIELDS, "supplier.code"),
        Documents.receipts,
        {"shipment_number": _equals("number"), "reference": _equals("reference")},
    ),
    "count_lines": Entity(
        "stock.inventory",
        ("number", "state", "date", "location"),
        Documents.counts,
        {"count_number": _equals("number")},
        followed=(Followed("stock.inventory.line", ("inventory",), _by_field("inventory")),),
    ),
    "stock_movements": Entity(
        "stock.move",
        (
            *("product.code", "internal_quantity", "from_location", "to_location"),
            *("effective_date", "origin", "shipment"),
        ),
        Documents.movements,
        {"posting": _by_posting, "document": _by_document},
        (["state", "=", "done"],),
    ),
}
