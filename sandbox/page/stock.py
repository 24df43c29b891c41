"""Stock: what truly lies there and moved by the world's events, beside what systems hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal

from sandbox.catalogue import (
    CHANNELS,
    ERP_WAREHOUSE,
    LOCATIONS,
    NORTH,
    THIRD_PARTY,
    Item,
    erp_item,
    erp_system,
    wms_sku,
)
from sandbox.distributor import Distributor
from sandbox.events import Event
from sandbox.orders import Position
from sandbox.page.beliefs import figure
from sandbox.page.cells import COMING, MISSING, Entry, Grid, Row, valued
from sandbox.page.happened import ALIKE, is_real
from sandbox.page.thirdparty import advised
from sandbox.simulation.stock import MOVING, moves_of
from sandbox.store import Store
from sandbox.truth import GRACE_SECONDS
from sandbox.views.thirdparty import ThirdPartyView


class TrueStock:
    """Eaches by position: all that is there, and how much of it is set aside as damaged."""

    def __init__(self, store: Store) -> None:
        self.on_hand = _RunningSum(store, MOVING, moves_of)
        self.damaged = _RunningSum(store, ("stock_blocked",), _set_aside)


def _set_aside(event: Event) -> list[tuple[Position, int]]:
    return [((event.data["item"], event.data["location"]), event.data["qty"])]


class _RunningSum:
    """What real events of some kinds come to. Each event of a long history is read once."""

    def __init__(
        self,
        store: Store,
        kinds: tuple[str, ...],
        changed: Callable[[Event], list[tuple[Position, int]]],
    ) -> None:
        self._store, self._kinds, self._changed = store, kinds, changed
        self._read_to = 0
        self._sums: Counter[Position] = Counter()
        self._recent: list[Event] = []

    def at(self, position: Position, now: float) -> tuple[int, dict[str, int]]:
        """Eaches of a position, and how many of them each system has still to hear of."""
        self._read(now)
        ahead: Counter[str] = Counter()
        true = self._sums[position]
        for event in self._recent:
            change = sum(qty for found, qty in self._changed(event) if found == position)
            if event.at > now:
                continue
            true += change
            for system, when in event.seen.items():
                if when > now:
                    ahead[ALIKE.get(system, system)] += change
        return true, ahead

    def _read(self, now: float) -> None:
        new = self._store.events_after(self._read_to, self._kinds)
        if new:
            self._read_to = new[-1][0]
        pending = self._recent + [event for _, event in new if is_real(event)]
        self._recent = []
        for event in pending:
            if max(event.at, *event.seen.values()) > now:
                self._recent.append(event)
            else:
                for position, qty in self._changed(event):
                    self._sums[position] += qty


def stock_grid(
    distributor: Distributor,
    stock: TrueStock,
    positions: Iterable[tuple[Item, str]],
    now: float,
    shared: bool,
) -> Grid:
    """On hand of positions, what of it is damaged if any is, and the pack of their items."""
    rows: list[Row] = []
    packs: dict[int, Row] = {}
    for item, location in positions:
        sku, item_no = wms_sku(item.number), erp_item(item.number)
        erp = distributor.views[erp_system(location)].tables["stock"]
        balance = erp.edit(f"{item_no}@{ERP_WAREHOUSE[location]}")
        # What lies with a third party is nothing that the WMS has a say in.
        inventory, position = distributor.wms.inventory, f"{sku}@{location}"
        held = inventory.edit(position) if position in inventory else None
        about = f"{item.title} in {location}"
        for name, total, ours, theirs in (
            (about, stock.on_hand, "OnHand", "qoh"),
            (f"{about}: damaged", stock.damaged, "Damaged", "qblk"),
        ):
            true, ahead = total.at((item.number, location), now)
            row = Row(name)
            row.add("truth", Entry(str(true)))
            if held is not None:
                note = f"{held['Allocated']} allocated" if ours == "OnHand" else ""
                coming = held[ours] == true - ahead.get("wms", 0)
                row.add("wms", valued(str(held[ours]), str(true), coming, note))
            elif ours == "OnHand" and (said := _advice(distributor, item)):
                row.add("wms", said)
            booked = figure(balance[theirs])
            coming = booked == str(true - ahead.get("erp", 0))
            row.add("erp", valued(booked, str(true), coming))
            if name == about or any(entry.text != "0" for entry in row.entries()):
                rows.append(row)
        packs[item.number] = _pack(distributor, item, sku, item_no)
    return Grid(
        "Stock", rows + list(packs.values()), "eaches on hand; other orders move it too", shared
    )


def _advice(distributor: Distributor, item: Item) -> Entry | None:
    """What the third party said last that it has: no more than a day old, so nothing to judge."""
    view = distributor.views.get("threepl")
    found = advised(view, item.gtin) if isinstance(view, ThirdPartyView) else None
    return found and Entry(found[0], note=f"advised on {found[1]}")


def _pack(distributor: Distributor, item: Item, sku: str, item_no: str) -> Row:
    row = Row(f"{item.title}: a case holds")
    true = str(item.case_pack)
    row.add("truth", Entry(true))
    row.add("wms", valued(str(distributor.wms.items.edit(sku)["CasePack"]), true))
    row.add("erp", valued(str(distributor.erp.items.edit(item_no)["case_qty"]), true))
    return row


def all_positions(distributor: Distributor, item: Item) -> list[tuple[Item, str]]:
    """An item everywhere."""
    return [
        (item, location)
        for location in (*LOCATIONS, NORTH, THIRD_PARTY)
        if (erp := distributor.views.get(erp_system(location)))
        and f"{erp_item(item.number)}@{ERP_WAREHOUSE[location]}" in erp.tables["stock"]
    ]


def offer_grid(distributor: Distributor, item: Item, now: float) -> Grid:
    """What the OMS offers on each sales channel, beside what is free to be sold."""
    rows = []
    for location in LOCATIONS:
        held = distributor.wms.inventory.edit(f"{wms_sku(item.number)}@{location}")
        free = max(0, held["OnHand"] - held["Allocated"] - held["Damaged"])
        refreshed = distributor.store.events_of(f"{item.gtin}@{location}")
        coming = any(event.seen.get("oms", 0.0) > now for event in refreshed)
        for channel in CHANNELS:
            offered = distributor.channels.offer(held, channel, now)["available"]
            row = Row(f"Can be sold from {location} on {channel}")
            row.add("truth", Entry(str(free)))
            row.add("oms", valued(str(offered), str(free), coming))
            rows.append(row)
    return Grid("Offered on sales channels", rows, "eaches")


def movement_grid(distributor: Distributor, refs: Iterable[str], now: float) -> Grid:
    """Receipts, adjustments, what was set aside, by reference: what moved, and who posted it."""
    rows = []
    for ref in refs:
        events = [event for event in distributor.store.events_of(ref) if is_real(event)]
        moved = [event for event in events if event.kind in _POSTED_BY_REF and event.at <= now]
        said = distributor.wms.transactions.by("Ref", ref)
        booked = distributor.erp.movements.by("ref", ref)
        row = Row(ref)
        true = str(sum(event.data["qty"] for event in moved))
        row.add("truth", Entry(true))
        coming = any(event.seen.get("erp", 0.0) > now for event in events)
        row.add("wms", _posted([str(one["Qty"]) for one in said], true, coming))
        row.add("erp", _posted([figure(one["qty"]) for one in booked], true, coming))
        rows.append(row)
    return Grid("Movements", rows, "eaches, by reference")


def transfer_grid(distributor: Distributor, transfers: Iterable[str], now: float) -> Grid:
    """Transfers between warehouses: what left, what came of it, and who posted it."""
    rows = []
    for number in transfers:
        events = distributor.store.events_of(number)
        said = distributor.wms.transactions.by("Ref", number)
        booked = distributor.erp.movements.by("ref", number)
        left = _leg(events, "transfer_shipped", now)
        if left is None:
            continue
        came = _leg(events, "transfer_received", now)
        sent = str(left.data["qty"])
        for name, event, sign, ours, theirs in (
            (f"{number} left {left.data['from']}", left, -1, "XFRO", "351"),
            (f"{number} came to {left.data['to']}", came, 1, "XFRI", "352"),
        ):
            true = str(event.data["qty"]) if event else "0"
            seen = event.seen if event else {}
            row = Row(name)
            row.add("truth", Entry(true))
            for column, posted in (
                ("wms", [one["Qty"] for one in said if one["TranType"] == ours]),
                ("erp", [Decimal(one["qty"]) for one in booked if one["mv_type"] == theirs]),
            ):
                figures = [figure(sign * qty) for qty in posted]
                row.add(column, _posted(figures, true, seen.get(column, 0.0) > now))
            # Both systems tell the truth about what came; it is the rest that is amiss.
            if event is not left and true != sent:
                lost = now - left.at > GRACE_SECONDS["I08T"]
                missing = f"{int(sent) - int(true)} of {sent} never came"
                row.cells["wms"] = [
                    Entry(missing, MISSING) if lost else Entry("on its way", COMING)
                ]
            rows.append(row)
    return Grid("Transfers", rows, "eaches")


_POSTED_BY_REF = ("stock_received", "stock_adjusted", "stock_blocked")


def _leg(events: Iterable[Event], kind: str, now: float) -> Event | None:
    return next((event for event in events if event.kind == kind and event.at <= now), None)


def _posted(figures: list[str], true: str, coming: bool) -> Entry:
    """What a ledger holds under one reference, in one line or in several."""
    if not figures:
        return valued("0", true, coming, "not posted")
    note = f"posted as {', '.join(figures)}" if len(figures) > 1 else ""
    return valued(str(sum(map(int, figures))), true, coming, note)
