"""Stock positions: what truly lies there by the world's events, beside WMS and ERP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from sandbox.catalogue import ERP_WAREHOUSE, LOCATIONS, Item, erp_item, wms_sku
from sandbox.distributor import Distributor
from sandbox.events import Event
from sandbox.page.beliefs import figure
from sandbox.page.cells import Entry, Grid, Row, valued
from sandbox.page.happened import is_real
from sandbox.simulation.stock import MOVING, Position, changes
from sandbox.store import Store


def _changes(event: Event) -> list[tuple[Position, int]]:
    """What an event adds to positions, in eaches."""
    return changes(event.kind, event.data)


class TrueStock:
    """On hand by position. Keeps a running sum: each event of a long history is read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read_to = 0
        self._sums: Counter[Position] = Counter()
        self._recent: list[Event] = []

    def on_hand(self, position: Position, now: float) -> tuple[int, dict[str, int]]:
        """Eaches that lie there, and what each system has still to hear of."""
        self._read(now)
        ahead: Counter[str] = Counter()
        true = self._sums[position]
        for event in self._recent:
            change = sum(qty for found, qty in _changes(event) if found == position)
            if event.at > now:
                continue
            true += change
            for system, when in event.seen.items():
                if when > now:
                    ahead[system] += change
        return true, ahead

    def _read(self, now: float) -> None:
        new = self._store.events_after(self._read_to, MOVING)
        if new:
            self._read_to = new[-1][0]
        pending = self._recent + [event for _, event in new if is_real(event)]
        self._recent = []
        for event in pending:
            if max(event.at, *event.seen.values()) > now:
                self._recent.append(event)
            else:
                self._sums.update(dict(_summed(event)))


def _summed(event: Event) -> Iterable[tuple[Position, int]]:
    total: Counter[Position] = Counter()
    for position, qty in _changes(event):
        total[position] += qty
    return total.items()


def stock_grid(
    distributor: Distributor,
    stock: TrueStock,
    positions: Iterable[tuple[Item, str]],
    now: float,
    shared: bool,
) -> Grid:
    """On hand of positions, and the pack of their items."""
    rows: list[Row] = []
    packs: dict[int, Row] = {}
    for item, location in positions:
        sku, item_no = wms_sku(item.number), erp_item(item.number)
        true, ahead = stock.on_hand((item.number, location), now)
        row = Row(f"{item.title} in {location}")
        row.add("truth", Entry(str(true)))
        # What lies with a third party is nothing that the WMS has a say in.
        if f"{sku}@{location}" in distributor.wms.inventory:
            held = distributor.wms.inventory.edit(f"{sku}@{location}")
            said = held["OnHand"]
            row.add(
                "wms",
                valued(
                    str(said),
                    str(true),
                    said == true - ahead.get("wms", 0),
                    f"{held['Allocated']} allocated"
                    + (f", {held['Damaged']} damaged" if held["Damaged"] else ""),
                ),
            )
        balance = distributor.erp.stock.edit(f"{item_no}@{ERP_WAREHOUSE[location]}")
        booked = figure(balance["qoh"])
        row.add("erp", valued(booked, str(true), booked == str(true - ahead.get("erp", 0))))
        rows.append(row)
        packs[item.number] = _pack(distributor, item, sku, item_no)
    return Grid(
        "Stock", rows + list(packs.values()), "eaches on hand; other orders move it too", shared
    )


def _pack(distributor: Distributor, item: Item, sku: str, item_no: str) -> Row:
    row = Row(f"{item.title}: a case holds")
    true = str(item.case_pack)
    row.add("truth", Entry(true))
    row.add("wms", valued(str(distributor.wms.items.edit(sku)["CasePack"]), true))
    row.add("erp", valued(str(distributor.erp.items.edit(item_no)["case_qty"]), true))
    return row


def all_positions(item: Item) -> list[tuple[Item, str]]:
    """An item everywhere."""
    return [(item, location) for location in LOCATIONS]


def movement_grid(distributor: Distributor, refs: Iterable[str], now: float) -> Grid:
    """Receipts and adjustments by reference: what moved, and what each side posted of it."""
    rows = []
    for ref in refs:
        events = [event for event in distributor.store.events_of(ref) if is_real(event)]
        row = Row(ref)
        true = str(sum(event.data["qty"] for event in events if event.at <= now))
        row.add("truth", Entry(true))
        coming = any(event.seen.get("erp", 0.0) > now for event in events)
        for column, said in (
            ("wms", [str(row["Qty"]) for row in distributor.wms.transactions.by("Ref", ref)]),
            ("erp", [figure(row["qty"]) for row in distributor.erp.movements.by("ref", ref)]),
        ):
            total = str(sum(int(qty) for qty in said))
            note = f"posted as {', '.join(said)}" if len(said) > 1 else ""
            row.add(column, valued(total, true, coming, note if said else "not posted"))
        rows.append(row)
    return Grid("Movements", rows, "eaches, by reference")
