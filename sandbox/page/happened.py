"""What truly happened to one order: read from the world's events, not from any document."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.events import Event
from sandbox.store import Store

ORIGIN = {
    "order_placed": "oms",
    "order_accepted": "oms",
    "lines_cancelled": "oms",
    "line_substituted": "oms",
    "line_quantity_changed": "oms",
    "order_released": "erp",
    "line_repriced": "erp",
    "invoiced": "erp",
    "order_picked": "wms",
    "order_packed": "wms",
    "shipped": "wms",
    "stock_received": "wms",
    "stock_adjusted": "wms",
    "stock_blocked": "wms",
    "parcel_scanned": "carrier",
}
"""Where a fact comes about. An event that its origin never hears of is another system's invention:
a fulfilment in the ERP without a parcel, the second booking of one order."""

ALIKE = {"threepl": "wms", "erp_north": "erp", "pushes": "carrier"}
"""A third party's word is that of a warehouse, and so on: whose column a system speaks in."""

FIGURES_ONLY = frozenset({"stock_miscounted", "stock_drifted", "availability_missed"})
"""By these no unit moves: a system's figure becomes a wrong one."""


def is_real(event: Event) -> bool:
    """Whether an event happened, and is not merely believed by someone."""
    if event.kind in FIGURES_ONLY:
        return False
    if event.kind == "shipped" and event.data["location"] is None:
        # From no place of ours: its supplier says what he ships to the customer.
        return "suppliers" in event.seen
    origin = ORIGIN.get(event.kind)
    if "host_order" in event.data and origin == "oms":
        # The office of a region takes its orders itself, and tells its ERP later.
        return event.kind == "order_placed" or bool({"erp", "erp_north"} & event.seen.keys())
    return origin is None or origin in {ALIKE.get(name, name) for name in event.seen}


def by_column(event: Event) -> Event:
    """The event with each system called as the column in which it speaks."""
    return replace(
        event,
        seen={ALIKE.get(name, name): when for name, when in event.seen.items()},
        told={ALIKE.get(name, name): data for name, data in event.told.items()},
    )


@dataclass(frozen=True)
class Parcel:
    """A parcel that left: quantities in eaches by order line; ``complete``: lines it finishes.

    ``location`` is None for what a supplier ships to the customer.
    """

    shipment: str
    tracking: str
    at: float
    location: str | None
    quantities: dict[int, int]
    complete: frozenset[int]
    seen: dict[str, float]
    scans: list[Event] = field(default_factory=list)

    @property
    def delivery(self) -> Event | None:
        """The scan that it was delivered."""
        return next((scan for scan in self.scans if scan.data["code"] == "DL"), None)


@dataclass(frozen=True)
class OrderTruth:
    """One order. ``events``: all of it, heard, invented and yet to come, in order of time.

    ``bought``: the purchase orders by which suppliers ship lines of it to the customer.
    """

    number: str
    now: float
    events: list[Event]
    lines: dict[int, dict[str, Any]]
    prices: dict[int, int]
    items: dict[int, int]
    cancelled: dict[int, Event]
    bought: dict[int, str]
    parcels: dict[str, Parcel]

    def first(self, kind: str) -> Event | None:
        """The first real event of a kind that has happened by now."""
        return next((event for event in self._past() if event.kind == kind), None)

    def last(self, kind: str) -> Event | None:
        """The last one."""
        return next((event for event in reversed(self._past()) if event.kind == kind), None)

    @property
    def header(self) -> dict[str, Any]:
        """Customer, purchase order, channel and the numbers of the order in ERP and WMS."""
        return self.events[0].data

    @property
    def is_in_oms(self) -> bool:
        """Whether the OMS has taken it, and not the office of a region."""
        return "host_order" not in self.header

    @property
    def all_cancelled(self) -> bool:
        """Whether no line is left."""
        return set(self.lines) <= set(self.cancelled)

    @property
    def all_bought(self) -> bool:
        """Whether no line is left for a warehouse."""
        return set(self.lines) <= set(self.bought)

    @property
    def location(self) -> str | None:
        """The warehouse, once it is decided."""
        released = self.first("order_released")
        return None if released is None else str(released.data["location"])

    def quantity_shipped(self, line: int) -> int:
        """Eaches of a line that left in any parcel."""
        return sum(parcel.quantities.get(line, 0) for parcel in self.parcels.values())

    @property
    def labels_only(self) -> list[Event]:
        """Labels that were printed for parcels that never left, up to now."""
        return [
            event
            for event in self._past()
            if event.kind == "parcel_scanned"
            and event.data["code"] == "OC"
            and event.data["shipment"] not in self.parcels
        ]

    def _past(self) -> list[Event]:
        return [event for event in self.events if event.at <= self.now and is_real(event)]


def order_truth(store: Store, number: str, now: float) -> OrderTruth | None:
    """The truth about an order; None when nobody ever placed it."""
    events = [by_column(event) for event in store.events_of(number)]
    placed = next((event for event in events if event.kind == "order_placed"), None)
    if placed is None:
        return None
    lines = {line["line"]: dict(line) for line in placed.data["lines"]}
    prices = {number: line["price"] for number, line in lines.items()}
    items = {number: line["item"] for number, line in lines.items()}
    cancelled: dict[int, Event] = {}
    bought: dict[int, str] = {}
    parcels: dict[str, Parcel] = {}
    scans: list[Event] = []
    for event in events:
        if event.at > now or not is_real(event):
            continue
        if event.kind == "line_repriced":
            prices[event.data["line"]] = event.data["price"]
        elif event.kind == "line_quantity_changed":
            lines[event.data["line"]]["qty"] = event.data["qty"]
        elif event.kind == "line_substituted":
            items[event.data["line"]] = event.data["item"]
        elif event.kind == "lines_cancelled":
            for line in event.data["lines"]:
                cancelled.setdefault(line, event)
        elif event.kind == "lines_bought":
            bought |= {int(line): purchase for line, (purchase, _) in event.data["lines"].items()}
        elif event.kind == "shipped":
            parcels[event.data["shipment"]] = _parcel(event)
        elif event.kind == "parcel_scanned":
            scans.append(event)
    # A label is scanned before its parcel leaves.
    for scan in scans:
        if scan.data["shipment"] in parcels:
            parcels[scan.data["shipment"]].scans.append(scan)
    return OrderTruth(number, now, events, lines, prices, items, cancelled, bought, parcels)


def _parcel(event: Event) -> Parcel:
    data = event.data
    return Parcel(
        shipment=data["shipment"],
        tracking=data["tracking"],
        at=event.at,
        location=data["location"],
        quantities={line["line"]: line["qty"] for line in data["lines"]},
        complete=frozenset(line["line"] for line in data["lines"] if line["last"]),
        seen=event.seen,
    )
