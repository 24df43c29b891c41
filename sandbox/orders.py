"""The life of one order, as events: how long each step takes and when each system hears of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.carriers import BY_SCAC, HOUSE, Carrier, tracking_number
from sandbox.catalogue import LOCATIONS, NORTH, THIRD_PARTY, Item, erp_system, warehouse_system
from sandbox.clock import HOUR, MINUTE
from sandbox.events import Event
from sandbox.numbers import Numbers

Line = dict[str, Any]
Position = tuple[int, str]
"""An item's number and a location."""

ORIGIN_ZONE = {
    "EAST": "America/New_York",
    "WEST": "America/Los_Angeles",
    "SOUTH": "America/Chicago",
    "NORTH": "America/Toronto",
}
DESTINATION_ZONES = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
)

# Typical lag and hard limit in seconds by system and subject. Every limit is below the grace of
# the rule that waits for it, so that lateness alone never is a fault.
LAGS = {
    "oms": (4.0, 30.0),
    "oms_status": (90.0, 20 * MINUTE),
    "erp_order": (60.0, 18 * MINUTE),
    "erp_posting": (120.0, 15 * MINUTE),
    "erp_stock": (300.0, 40 * MINUTE),
    "wms": (2.0, 20.0),
    "wms_order": (45.0, 12 * MINUTE),
    "carrier": (60.0, 25 * MINUTE),
}


def lag(rng: random.Random, subject: str) -> float:
    """How much later a system records something: log-normal, so with a heavy tail, but capped."""
    typical, limit = LAGS[subject]
    return min(limit, typical * rng.lognormvariate(0.0, 0.9))


@dataclass
class Shipment:
    """One parcel of an order."""

    shipment: str
    tracking: str
    fulfilment: str
    invoice: str
    lines: list[Line]
    carrier: str = HOUSE.scac


@dataclass
class Order:
    """One order: its number in each system, its lines, and its events so far.

    ``host_order``: how the warehouse is told to call it where that is not the ERP's number.
    """

    order: str
    doc_no: str
    wms_order: str
    location: str
    customer: str
    po: str
    channel: str
    lines: list[Line]
    events: list[Event] = field(default_factory=list)
    shipments: list[Shipment] = field(default_factory=list)
    host_order: str | None = None

    @property
    def header(self) -> dict[str, Any]:
        """What every event of the order tells."""
        named = {"order": self.order, "doc_no": self.doc_no, "wms_order": self.wms_order}
        return named | ({"host_order": self.host_order} if self.host_order else {})

    @property
    def erp(self) -> str:
        """The ERP that has it."""
        return erp_system(self.location)

    def heard_by_oms(self, moment: float) -> dict[str, float]:
        """The OMS hears at a moment, if it has the order at all."""
        return {} if self.location == NORTH else {"oms": moment}

    def find(self, kind: str) -> Event:
        """The first event of a kind. Raises LookupError."""
        for event in self.events:
            if event.kind == kind:
                return event
        raise LookupError(f"{self.order} has no event {kind}")

    def all(self, kind: str) -> list[Event]:
        """The events of a kind."""
        return [event for event in self.events if event.kind == kind]

    def positions(self) -> set[Position]:
        """The stock positions that it touches."""
        return {(line["item"], self.location) for line in self.lines}

    def objects(self) -> list[str]:
        """Its order lines as rules name them: ``SO-100123/1``."""
        return [f"{self.order}/{line['line']}" for line in self.lines]


class OrderWriter:
    """Draws orders and their events. One instance a history; all chance comes from ``rng``."""

    def __init__(self, rng: random.Random, numbers: Numbers, items: list[Item]) -> None:
        self.rng = rng
        self.numbers = numbers
        self.items = items

    def start(
        self,
        number: int,
        line_count: int | None = None,
        like: Order | None = None,
        in_cases: bool | None = None,
    ) -> Order:
        """A new order without events. ``like``: the same customer and lines under another PO."""
        rng = self.rng
        if like is not None:
            customer, lines = like.customer, [dict(line) for line in like.lines]
            location, channel = like.location, like.channel
        else:
            customer = f"C{rng.randrange(1, 400):04d}"
            count = line_count or rng.choices((1, 2, 3, 4, 5), (35, 32, 18, 10, 5))[0]
            drawn = rng.sample(self.items, count)
            if in_cases:
                drawn[0] = rng.choice([item for item in self.items if not item.eaches_only])
                drawn = list(dict.fromkeys(drawn))
            lines = [
                self._line(position, item, bool(in_cases) and position == 1)
                for position, item in enumerate(drawn, start=1)
            ]
            location = rng.choice(LOCATIONS)
            channel = rng.choice(("web", "web", "edi", "store"))
        return Order(
            order=f"SO-{100_000 + number}",
            doc_no=f"E{500_000 + number}",
            wms_order=f"W{300_000 + number}",
            location=location,
            customer=customer,
            po=self.numbers.next("purchase_order"),
            channel=channel,
            lines=lines,
        )

    def in_north(self, order: Order, doc_no: str | None = None) -> Order:
        """An order without events becomes one of the region north, whose ERP counts for itself.

        So its number is one that the other ERP has given to another order, like as not. To the
        warehouse, which serves both, it is named with its region.
        """
        order.location = NORTH
        order.order = order.order.replace("SO-", "NO-")
        # A number that its turn has given away already is not given twice.
        if doc_no is None or not self.numbers.take("north_order", int(doc_no[1:]) - 500_000):
            doc_no = f"E{500_000 + self.numbers.next_int('north_order')}"
        order.doc_no = doc_no
        order.host_order = f"N1-{order.doc_no}"
        return order

    def _line(self, position: int, item: Item, in_cases: bool) -> Line:
        rng = self.rng
        if in_cases or (not item.eaches_only and rng.random() < 0.1):
            qty, uom, pack = item.case_pack * rng.randrange(1, 4), "CS", item.case_pack
        else:
            qty, uom, pack = rng.randrange(1, 13), "EA", 1
        # A discount in whole per cent, in whole cents.
        cents = item.price * (100 - rng.choice((0, 0, 0, 5, 10))) // 100
        return {
            "line": position,
            "item": item.number,
            "qty": qty,
            "price": cents,
            "uom": uom,
            "pack": pack,
        }

    def add(self, order: Order, at: float, kind: str, seen: dict[str, float], **data: Any) -> Event:
        """Append an event that happened at a moment."""
        event = Event(at, kind, order.order, {**order.header, **data}, seen)
        order.events.append(event)
        return event

    def hears(self, at: float, system: str, subject: str) -> dict[str, float]:
        """When one system records what happened at a moment."""
        return {system: at + lag(self.rng, subject)}

    # What the systems record of a step that happened at a moment.

    def place(self, order: Order, at: float) -> float:
        """The customer orders."""
        self.add(
            order,
            at,
            "order_placed",
            order.heard_by_oms(at + lag(self.rng, "oms")),
            customer=order.customer,
            po=order.po,
            channel=order.channel,
            lines=order.lines,
        )
        return at

    def accepted(
        self,
        order: Order,
        at: float,
        backordered: Sequence[int] = (),
        drop_shipped: Sequence[int] = (),
    ) -> Event:
        """The OMS, if it has it, has accepted it and tells the ERP.

        ``backordered``: lines that wait for stock; ``drop_shipped``: that a supplier is to ship.
        """
        oms = at + lag(self.rng, "oms")
        return self.add(
            order,
            at,
            "order_accepted",
            order.heard_by_oms(oms) | {order.erp: oms + lag(self.rng, "erp_order")},
            customer=order.customer,
            po=order.po,
            lines=order.lines,
            **({"backordered": list(backordered)} if backordered else {}),
            **({"drop_shipped": list(drop_shipped)} if drop_shipped else {}),
        )

    def reserved(self, order: Order, at: float, lines: list[int]) -> Event:
        """Lines that waited for stock have it now."""
        return self.add(order, at, "lines_reserved", order.heard_by_oms(at + 1.0), lines=lines)

    def handed_over(self, order: Order, at: float) -> Event:
        """The ERP has released it to the warehouse."""
        erp = at + 1.0
        return self.add(
            order,
            at,
            "order_released",
            {order.erp: erp, warehouse_system(order.location): erp + lag(self.rng, "wms_order")},
            location=order.location,
            lines=order.lines,
        )

    def handled(self, order: Order, at: float, kind: str) -> Event:
        """The warehouse has picked (``order_picked``) or packed it (``order_packed``).

        A third party tells nobody of such steps.
        """
        seen = {} if order.location == THIRD_PARTY else self.hears(at, "wms", "wms")
        return self.add(order, at, kind, seen)

    def parcel(
        self,
        order: Order,
        lines: list[Line] | None = None,
        last: bool = True,
        carrier: Carrier = HOUSE,
    ) -> Shipment:
        """A parcel with its numbers in all systems. ``lines``: part of the order."""
        numbers = self.numbers
        parcel = Shipment(
            shipment=numbers.next("shipment"),
            tracking=tracking_number(carrier, numbers),
            fulfilment=numbers.next("fulfilment"),
            invoice=numbers.next("invoice"),
            lines=[{**line, "last": line.get("last", last)} for line in lines or order.lines],
            carrier=carrier.scac,
        )
        order.shipments.append(parcel)
        return parcel

    def labelled(self, order: Order, at: float) -> Event:
        """The newest parcel has its label; the carrier knows of it."""
        return self.scan(order, at, "OC", ORIGIN_ZONE[order.location])

    def left(self, order: Order, at: float, last: bool = True) -> Event:
        """The newest parcel has left the warehouse; WMS, then ERP and OMS record it."""
        parcel = order.shipments[-1]
        wms = at + lag(self.rng, "wms")
        return self.add(
            order,
            at,
            "shipped",
            {
                warehouse_system(order.location): wms,
                order.erp: wms + lag(self.rng, "erp_posting"),
            }
            | order.heard_by_oms(wms + lag(self.rng, "oms_status")),
            shipment=parcel.shipment,
            tracking=parcel.tracking,
            carrier=parcel.carrier,
            fulfilment=parcel.fulfilment,
            location=order.location,
            lines=parcel.lines,
            last=last,
        )

    def billed(self, order: Order, at: float, parcel: int = -1) -> Event:
        """The ERP has billed a parcel."""
        shipment = order.shipments[parcel]
        return self.add(
            order,
            at,
            "invoiced",
            {order.erp: at},
            invoice=shipment.invoice,
            shipment=shipment.shipment,
            lines=shipment.lines,
        )

    def scan(
        self,
        order: Order,
        at: float,
        code: str,
        zone: str,
        parcel: int = -1,
        reason: str | None = None,
        reported: float | None = None,
        **more: Any,
    ) -> Event:
        """The carrier scans a parcel. ``reported`` defaults to a little later."""
        shipment = order.shipments[parcel]
        return self.add(
            order,
            at,
            "parcel_scanned",
            {
                BY_SCAC[shipment.carrier].system: (
                    at + lag(self.rng, "carrier") if reported is None else reported
                )
            },
            tracking=shipment.tracking,
            carrier=shipment.carrier,
            shipment=shipment.shipment,
            code=code,
            zone=zone,
            reason=reason,
            scanned_at=at,
            completes=[line["line"] for line in shipment.lines if line["last"]],
            **more,
        )

    def troubled(
        self, order: Order, at: float, zone: str, reason: str, expected: float | None = None
    ) -> Event:
        """The carrier can't deliver the newest parcel as it should, and the OMS is told.

        ``expected``: when it will be there.
        """
        more: dict[str, Any] = {} if expected is None else {"expected_at": expected}
        event = self.scan(order, at, "EX", zone, reason=reason, **more)
        (told,) = event.seen.values()
        event.seen |= order.heard_by_oms(told + MINUTE)
        return event

    def dropped(self, order: Order, at: float, zone: str, parcel: int = -1) -> Event:
        """The carrier has delivered a parcel, and the OMS is told."""
        event = self.scan(order, at, "DL", zone, parcel)
        (told,) = event.seen.values()
        event.seen |= order.heard_by_oms(told + lag(self.rng, "oms_status"))
        return event

    # Steps whose delay is drawn. Each returns the moment at which it happened.

    def accept(self, order: Order, after: float, pace: float = 1.0) -> float:
        """The OMS accepts it."""
        return self.accepted(order, after + MINUTE + pace * self.rng.uniform(0, 20 * MINUTE)).at

    def release(self, order: Order, after: float, pace: float = 1.0) -> float:
        """The ERP releases it to the warehouse."""
        at = after + 40 * MINUTE + pace * self.rng.uniform(0, 18 * HOUR)
        return self.handed_over(order, at).at

    def pick_and_pack(self, order: Order, after: float, pace: float = 1.0) -> float:
        """The warehouse picks and packs."""
        picked = after + 25 * MINUTE + pace * self.rng.uniform(0, 6 * HOUR)
        self.handled(order, picked, "order_picked")
        packed = picked + 5 * MINUTE + pace * self.rng.uniform(0, 2 * HOUR)
        return self.handled(order, packed, "order_packed").at

    def ship(
        self,
        order: Order,
        after: float,
        pace: float = 1.0,
        lines: list[Line] | None = None,
        last: bool = True,
    ) -> float:
        """A parcel leaves. ``lines``: part of the order."""
        at = after + 5 * MINUTE + pace * self.rng.uniform(0, 3 * HOUR)
        self.parcel(order, lines, last)
        return self.left(order, at, last).at

    def invoice(self, order: Order, shipped: float, pace: float = 1.0, parcel: int = -1) -> float:
        """The ERP bills a parcel, some time after it posted the goods issue."""
        at = shipped + 20 * MINUTE + pace * self.rng.uniform(0, 6 * HOUR)
        return self.billed(order, at, parcel).at

    def carry(
        self,
        order: Order,
        shipped: float,
        pace: float = 1.0,
        parcel: int = -1,
        until: str = "DL",
        delivered: float | None = None,
    ) -> float:
        """The carrier's scans from the label on; the OMS hears of the delivery.

        ``until`` is the last code; ``delivered`` fixes the moment of delivery.
        """
        rng = self.rng
        origin = ORIGIN_ZONE[order.location]
        destination = rng.choice(DESTINATION_ZONES)
        at = shipped
        self.scan(order, shipped - 3 * MINUTE, "OC", origin, parcel)
        steps = (
            ("PU", 4 * MINUTE, 5 * HOUR, origin),
            ("DP", 20 * MINUTE, 3 * HOUR, origin),
            ("AR", 2 * HOUR, 24 * HOUR, destination),
            ("OD", 30 * MINUTE, 6 * HOUR, destination),
            ("DL", 30 * MINUTE, 7 * HOUR, destination),
        )
        for code, least, spread, zone in steps:
            at += least + pace * rng.uniform(0, spread)
            if code == "DL" and delivered is not None:
                at = delivered
            if code == "DL":
                self.dropped(order, at, zone, parcel)
            else:
                self.scan(order, at, code, zone, parcel)
            if code == until:
                break
        return at

    def cancel(
        self,
        order: Order,
        at: float,
        systems: tuple[str, ...] = ("oms", "erp"),
        lines: list[int] | None = None,
    ) -> float:
        """Lines are cancelled in the OMS, which tells the others."""
        seen = order.heard_by_oms(at + 1.0)
        if "erp" in systems:
            seen[order.erp] = at + 1.0 + lag(self.rng, "erp_order")
        if "wms" in systems:
            seen["wms"] = seen[order.erp] + lag(self.rng, "wms_order")
        self.add(
            order,
            at,
            "lines_cancelled",
            seen,
            lines=lines or [line["line"] for line in order.lines],
        )
        return at

    # Whole lives.

    def booked(self, order: Order, placed: float, pace: float = 1.0) -> float:
        """Placed, accepted, booked in the ERP."""
        return self.accept(order, self.place(order, placed), pace)

    def released(self, order: Order, placed: float, pace: float = 1.0) -> float:
        """On to an untouched order in the warehouse."""
        return self.release(order, self.booked(order, placed, pace), pace)

    def packed(self, order: Order, placed: float, pace: float = 1.0) -> float:
        """On to a packed parcel."""
        return self.pick_and_pack(order, self.released(order, placed, pace), pace)

    def delivered(self, order: Order, placed: float, pace: float = 1.0) -> float:
        """The whole life in one parcel. Returns the moment of shipping."""
        shipped = self.ship(order, self.packed(order, placed, pace), pace)
        self.invoice(order, shipped, pace)
        self.carry(order, shipped, pace)
        return shipped
