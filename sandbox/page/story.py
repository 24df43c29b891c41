"""Everything the page tells about one order or one item, as plain data."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sandbox import clock
from sandbox.catalogue import ERP_WAREHOUSE, LOCATIONS, THIRD_PARTY, erp_item, wms_sku
from sandbox.distributor import Distributor
from sandbox.events import Event
from sandbox.kinds import catalogue
from sandbox.page.beliefs import beliefs, erp_of
from sandbox.page.books import book_grids
from sandbox.page.cells import COMING, WRONG, Grid, count
from sandbox.page.corrections import Correction, corrections_on
from sandbox.page.happened import is_real, order_truth
from sandbox.page.lines import line_grids
from sandbox.page.milestones import order_steps, parcel_steps
from sandbox.page.purchases import purchase_grids, purchase_of
from sandbox.page.stock import (
    TrueStock,
    all_positions,
    movement_grid,
    offer_grid,
    stock_grid,
    transfer_grid,
)
from sandbox.world import KINDS

TruthRow = dict[str, Any]


@dataclass(frozen=True)
class Story:
    """One object. ``faults``, ``decoys``: truth rows on it; ``past``: the truth, step by step.

    ``labels``: who speaks in a column, where it is not the system that gives it its name.
    """

    name: str
    title: str
    facts: list[tuple[str, str]]
    grids: list[Grid]
    faults: list[TruthRow]
    decoys: list[TruthRow]
    corrections: list[Correction]
    past: list[dict[str, Any]]
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def wrong(self) -> int:
        """How many things a system holds of it that are not so."""
        return count([grid for grid in self.grids if not grid.shared], WRONG)

    @property
    def wrong_beside(self) -> int:
        """How many of what it shares with others."""
        return count([grid for grid in self.grids if grid.shared], WRONG)

    @property
    def coming(self) -> int:
        """How many are on their way."""
        return count(self.grids, frozenset({COMING}))


def truth_rows(distributor: Distributor) -> list[TruthRow]:
    """All truth rows, oldest first."""
    return [json.loads(text) for text in distributor.store.truths()]


_GENERAL = {entry.kind_id: entry.title for entry in catalogue()}
_VARIED = {name[:-1] for name in KINDS if name[-1].isalpha() and name[:-1] in KINDS}


def title_of(fault_type: str) -> str:
    """What a truth row is about. A type that several kinds inject (H5 and H5O) has a title that
    holds for all of them; a row does not say which of them it was."""
    if fault_type in KINDS and fault_type not in _VARIED:
        return KINDS[fault_type].title
    return _GENERAL.get(fault_type, fault_type)


def names_in(value: Any) -> set[str]:
    """Every identifier anywhere in a truth row's keys."""
    if isinstance(value, dict):
        return set().union(*map(names_in, value.values()))
    if isinstance(value, list):
        return set().union(*map(names_in, value))
    return {str(value)}


def order_story(distributor: Distributor, stock: TrueStock, number: str) -> Story | None:
    """One order; None when nobody placed it."""
    now = clock.now()
    truth = order_truth(distributor.store, number, now)
    if truth is None:
        return None
    held = beliefs(distributor, truth)
    items = {line["item"]: distributor.items[line["item"] - 1] for line in truth.lines.values()}
    places = LOCATIONS if truth.location is None else (truth.location,)
    positions = [(item, place) for item in items.values() for place in places]
    names = {number, *truth.parcels, *held.names()}
    names.add(str(truth.header["wms_order"]))
    if truth.is_in_oms:
        names.add(str(truth.header["doc_no"]))
    else:
        # The other ERP may have given its number to another order.
        names -= {order["doc_no"] for order in held.erp_orders}
    grids = [Grid("Milestones", order_steps(truth, held))]
    grids += [Grid(title, rows) for title, rows in parcel_steps(truth, held)]
    grids += line_grids(truth, held, distributor.items, distributor.wms.items)
    grids += book_grids(distributor, erp_of(distributor, number), truth, held)
    grids.append(stock_grid(distributor, stock, positions, now, shared=True))
    header = truth.header
    warehouse = "With the third party" if truth.location == THIRD_PARTY else "In the WMS"
    facts = [
        ("Customer", header["customer"]),
        ("Purchase order", header["po"]),
        ("Channel", header["channel"]),
        ("In the OMS", held.oms["id"] if held.oms else "–"),
        ("In the ERP", ", ".join(order["doc_no"] for order in held.erp_orders) or "–"),
        (warehouse, ", ".join(order["OrderNbr"] for order in held.wms_orders) or "–"),
    ]
    return _story(
        distributor,
        number,
        f"Order {number}",
        facts,
        grids,
        names,
        {f"{erp_item(item.number)}@{ERP_WAREHOUSE[place]}" for item, place in positions},
        distributor.store.events_of(number),
        {} if truth.is_in_oms else {"erp": "ERP of the north"},
        {"wms": "Third-party warehouse"} if truth.location == THIRD_PARTY else {},
    )


def item_story(distributor: Distributor, stock: TrueStock, gtin: str) -> Story | None:
    """One item with its stock everywhere; None when there is none."""
    item = next((item for item in distributor.items if item.gtin == gtin), None)
    if item is None:
        return None
    positions = all_positions(distributor, item)
    names = {gtin, wms_sku(item.number), erp_item(item.number)}
    injected = [row["entity_keys"] for row in truth_rows(distributor)]
    injected = [keys for keys in injected if names_in(keys) & names]
    refs = [ref for keys in injected for ref in (keys.get("refs") or [keys.get("ref")]) if ref]
    transfers = [keys["transfer"] for keys in injected if "transfer" in keys]
    now = clock.now()
    grids = [stock_grid(distributor, stock, positions, now, shared=False)]
    if "channels" in distributor.processes:
        grids.append(offer_grid(distributor, item, now))
    if refs:
        grids.append(movement_grid(distributor, refs, now))
    if transfers:
        grids.append(transfer_grid(distributor, transfers, now))
    numbers = [*refs, *transfers]
    return _story(
        distributor,
        gtin,
        f"Item {item.title}",
        [
            ("GTIN", gtin),
            ("In the ERP", erp_item(item.number)),
            ("In the WMS", wms_sku(item.number)),
            ("Weight", f"{item.weight} g"),
        ],
        grids,
        names | set(numbers),
        {f"{erp_item(item.number)}@{ERP_WAREHOUSE[place]}" for _, place in positions},
        [event for number in numbers for event in distributor.store.events_of(number)],
    )


def purchase_story(distributor: Distributor, number: str) -> Story | None:
    """One purchase order; None when nobody ordered it or this world tells of none."""
    if "purchasing" not in distributor.processes:
        return None
    found = purchase_of(distributor, number, clock.now())
    if found is None:
        return None
    ordered = found.events[0].data
    notices = [event.data["notice"] for event in found.all("shipment_announced")]
    refs = [event.subject for event in found.all("stock_received")]
    return _story(
        distributor,
        number,
        f"Purchase order {number}",
        [
            ("Supplier", ordered["supplier"]),
            ("For", ordered["location"] or f"order {ordered['order']}, drop-shipped"),
            ("Notices", ", ".join(notices) or "–"),
        ],
        purchase_grids(found),
        {number, *notices, *refs},
        set(),
        found.events,
    )


def _story(
    distributor: Distributor,
    name: str,
    title: str,
    facts: list[tuple[str, str]],
    grids: list[Grid],
    names: set[str],
    positions: set[str],
    events: Iterable[Event],
    *labels: dict[str, str],
) -> Story:
    rows = [row for row in truth_rows(distributor) if names_in(row["entity_keys"]) & names]
    return Story(
        name,
        title,
        facts,
        grids,
        [row for row in rows if not row["decoy"]],
        [row for row in rows if row["decoy"]],
        corrections_on(distributor.store.effects(), names, positions),
        [_step(event) for event in events],
        {column: label for named in labels for column, label in named.items()},
    )


def _step(event: Event) -> dict[str, Any]:
    """An event in words: when it happened, and who heard of it when."""
    told = {system: sorted(changed) for system, changed in event.told.items()}
    return {
        "at": event.at,
        "what": event.kind.replace("_", " ") + _about(event),
        "real": is_real(event),
        "heard": [
            (system, when, ", ".join(told.get(system, []))) for system, when in event.seen.items()
        ],
    }


def _about(event: Event) -> str:
    data = event.data
    match event.kind:
        case "parcel_scanned":
            return f" {data['code']}" + (f" ({data['reason']})" if data.get("reason") else "")
        case "shipped":
            return f" {data['shipment']}"
        case "invoiced" | "invoice_voided":
            return f" {data['invoice']}"
        case "line_repriced" | "line_substituted" | "line_quantity_changed":
            return f" (line {data['line']})"
        case "lines_cancelled":
            return f" ({', '.join(map(str, data['lines']))})"
        case "stock_received" | "stock_adjusted" | "stock_miscounted" | "stock_blocked":
            return f" {data['qty']:+d}"
    return ""
