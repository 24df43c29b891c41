"""Finding an order or item by any number it has, and the lists that lead to one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.distributor import Distributor
from sandbox.page.corrections import last_touched
from sandbox.page.story import TruthRow, names_in, title_of
from sandbox.tables import Table
from sandbox.views.north import NorthErpView

FEWEST_LETTERS = 2
MOST_FOUND = 40
LATEST = 12


@dataclass(frozen=True)
class Hit:
    """Something to open: ``kind`` is ``order``, ``item`` or ``purchase``, ``name`` its number."""

    kind: str
    name: str
    about: str


@dataclass(frozen=True)
class Injected:
    """A truth row in a list: what it is on, and whether a write has touched that since."""

    fault_id: str
    kind: str
    title: str
    decoy: bool
    target: Hit | None
    corrected: bool


def search(distributor: Distributor, text: str) -> list[Hit]:
    """Orders and items one of whose numbers contains the text, newest first, without regard to
    case; at most ``MOST_FOUND``."""
    wanted = text.strip().upper()
    if len(wanted) < FEWEST_LETTERS:
        return []
    found: dict[tuple[str, str], Hit] = {}
    for hit in _matches(distributor, wanted):
        found.setdefault((hit.kind, hit.name), hit)
        if len(found) == MOST_FOUND:
            break
    return list(found.values())


def latest_orders(distributor: Distributor) -> list[Hit]:
    """The orders that the OMS got last, newest first."""
    orders = distributor.oms.orders
    return [_order(orders.edit(found)) for found in reversed(orders.ids()[-LATEST:])]


def latest_purchases(distributor: Distributor) -> list[Hit]:
    """The purchase orders that the ERP sent last, newest first."""
    orders = distributor.erp.tables.get("purchase_orders")
    return (
        [_purchase(orders.edit(found)) for found in reversed(orders.ids()[-LATEST:])]
        if (orders)
        else []
    )


def injected(distributor: Distributor, rows: list[TruthRow]) -> list[Injected]:
    """Faults and decoys for a list, newest first."""
    changed = last_touched(distributor.store.effects())
    return [
        Injected(
            row["fault_id"],
            row["fault_type"],
            title_of(row["fault_type"]),
            row["decoy"],
            target_of(row),
            any(
                changed.get(name, "") > row["injected_at"] for name in names_in(row["entity_keys"])
            ),
        )
        for row in reversed(rows)
    ]


def target_of(row: TruthRow) -> Hit | None:
    """What to open to see a fault; None when it is on nothing that the page shows."""
    keys = row["entity_keys"]
    if "order_number" in keys:
        return Hit("order", keys["order_number"], "")
    purchase = keys.get("purchase")
    if isinstance(purchase, str):
        return Hit("purchase", purchase, "")
    if "gtin" in keys:
        return Hit("item", keys["gtin"], keys.get("location", ""))
    return None


def _matches(distributor: Distributor, wanted: str) -> Iterator[Hit]:
    oms, erp, wms = distributor.oms, distributor.erp, distributor.wms
    for order in _holding(oms.orders, wanted, "orderNumber", "id", "customerPo", "customerRef"):
        yield _order(order)
    for order in _holding(erp.orders, wanted, "doc_no"):
        yield from _orders_of(distributor, order["doc_no"])
    for view in distributor.views.values():
        if isinstance(view, NorthErpView):
            for order in _holding(view.orders, wanted, "ext_ref", "doc_no", "cust_po"):
                yield _order_of_the_north(order)
    for document in (
        *_holding(erp.fulfilments, wanted, "ful_no", "ship_ref"),
        *_holding(erp.invoices, wanted, "inv_no", "ship_ref"),
    ):
        yield from _orders_of(distributor, document["doc_no"])
    for document in (
        *_holding(wms.orders, wanted, "OrderNbr"),
        *_holding(wms.shipments, wanted, "ShipNbr", "TrackingNbr"),
    ):
        yield from _orders_of(distributor, document["HostOrder"])
    orders = erp.tables.get("purchase_orders")
    for order in _holding(orders, wanted, "po_no", "vend_no") if orders else ():
        yield _purchase(order)
    for product in _holding(oms.products, wanted, "sku", "gtin", "title"):
        yield Hit("item", product["gtin"], product["title"])
    for item in _holding(erp.items, wanted, "item_no"):
        yield Hit("item", item["gtin"], item["descr"])
    for item in _holding(wms.items, wanted, "Sku"):
        yield Hit("item", item["Gtin"], item["Desc"])


def _holding(table: Table, wanted: str, *fields: str) -> Iterator[dict[str, Any]]:
    """Documents with the text in one of the fields, newest first."""
    # Most texts do not hold it anywhere, and need not be parsed to tell.
    anywhere = re.compile(re.escape(wanted), re.IGNORECASE)
    for record_id in reversed(table.ids()):
        if anywhere.search(table.text(record_id)):
            document = table.edit(record_id)
            if any(wanted in str(document[field]).upper() for field in fields):
                yield document


def _orders_of(distributor: Distributor, doc_no: str) -> Iterator[Hit]:
    if doc_no in distributor.erp.orders:
        number = distributor.erp.orders.edit(doc_no)["ext_ref"]
        for order in distributor.oms.orders.by("orderNumber", number):
            yield _order(order)


def _purchase(order: dict[str, Any]) -> Hit:
    return Hit("purchase", order["po_no"], f"from {order['vend_no']} for {order['whs']}")


def _order_of_the_north(order: dict[str, Any]) -> Hit:
    return Hit("order", order["ext_ref"], f"{order['doc_no']} in the ERP of the north")


def _order(order: dict[str, Any]) -> Hit:
    lines = len(order["lines"])
    about = f"{order['status'].lower().replace('_', ' ')} · {order['customerRef']}"
    return Hit("order", order["orderNumber"], f"{about} · {lines} line{'s' * (lines != 1)}")
