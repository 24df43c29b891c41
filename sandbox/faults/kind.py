"""What a kind of fault or decoy is, and what the families of them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.clock import DAY, HOUR, MINUTE, iso_utc
from sandbox.events import Event
from sandbox.orders import ORIGIN_ZONE, Line, Order
from sandbox.returns import REASONS, return_of
from sandbox.scene import OLD, RECENT, Scene
from sandbox.settings import Settings
from sandbox.truth import Truth

Stage = Callable[[Scene], Truth | list[Truth]]


@dataclass(frozen=True)
class Kind:
    """One kind of fault or decoy. ``stage`` puts one more of it on a scene and tells the truth; of
    faults that belong together (``overlaps.py``), the truth of each.

    ``undated``: nothing in it carries a date of its own, only the last change does. So one that is
    injected later begins at its injection and falls due a grace period after it.
    ``takes_free_stock``: needs items or positions that no other kind uses, so it is staged first.
    ``needs``: business processes, trading partners and regions without which a world can't hold it.
    ``mixed``: every history has some of it; else it is injected only (it falls due so long after it
    was read, or keeps a target waiting so long, that a demo would not see its end).
    ``whole_feed``: the feed (``erp.stock``) or system that all of it disturbs for a while, and so
    whatever else it would tell; injected only, and when nothing else is on its way.
    ``one_cause``: the faults that it stages have one root cause.
    """

    name: str
    title: str
    stage: Stage
    undated: bool = False
    takes_free_stock: bool = False
    needs: tuple[str, ...] = ()
    mixed: bool = True
    whole_feed: str | None = None
    one_cause: bool = False

    def missing(self, settings: Settings) -> tuple[str, ...]:
        """What of its needs a world of these settings has not."""
        there = {*settings.processes, *settings.partners, *settings.regions}
        return tuple(need for need in self.needs if need not in there)

    @property
    def in_history(self) -> bool:
        """Whether a history holds some of it unless its settings say otherwise."""
        return self.mixed and self.whole_feed is None


DISTURBED_HOURS = 3.0
"""How long a feed is disturbed: longer than any rule about feeds waits."""


def disturbed_feed(
    scene: Scene,
    kind: str,
    system: str,
    entity: str,
    mode: str,
    rules: tuple[str, ...],
    what: str,
) -> Truth:
    """From now on for some hours a feed, named alike on the wire and in contracts, goes wrong."""
    until = scene.now + DISTURBED_HOURS * HOUR
    scene.disturb(system, entity, mode, until)
    feed = f"{system}.{entity}"
    return Truth(
        kind=kind,
        systems=[system],
        keys={"feed": feed},
        since=scene.now,
        expected=[(rule, feed) for rule in rules],
        values={
            system: what,
            "real": "what it tells before and after",
            "until": iso_utc(until),
        },
        passes=True,
    )


def retold(
    scene: Scene,
    system: str,
    entity: str,
    record: str,
    fields: dict[str, Any],
    at: float | None = None,
) -> None:
    """From now on, or a later moment, a system writes some fields of a document otherwise."""
    moment = at or scene.now
    data = {"entity": entity, "record": record, "fields": fields}
    scene.add(moment, "record_retold", record, {system: moment}, **data)


def erp_lines(lines: list[Line]) -> list[dict[str, str]]:
    """The lines as the ERP's corrections name them."""
    return [{"line_record": str(line["line"] * 10), "quantity": str(line["qty"])} for line in lines]


def correction_of(system: str, kind: str, approval: bool = False, **payload: Any) -> dict[str, Any]:
    """The expected correction of a fault."""
    return {"system": system, "kind": kind, "needs_approval": approval, "payload": payload}


def whole_in_eaches(order: Order, least: int = 4) -> None:
    """Make the first line one of several eaches, so that a part of it can go astray."""
    order.lines[0] |= {"uom": "EA", "pack": 1, "qty": max(least, order.lines[0]["qty"])}


def in_two_warehouse_orders(
    scene: Scene, order: Order, placed: float, parts: tuple[int, int]
) -> None:
    """The whole life of an order that the warehouse handles as two: ``parts`` are the eaches of the
    first line in each of them. What the first one holds of it is delivered before the second."""
    write = scene.write
    head, *others = order.lines
    whole = sum(parts) == head["qty"]
    first = [{**head, "qty": parts[0], "last": False}, *({**line, "last": True} for line in others)]
    rest = [{**head, "qty": parts[1], "last": whole}]
    at = write.release(order, write.booked(order, placed))
    released = order.find("order_released")
    released.told["wms"] = {"lines": first}
    twin = scene.numbers.next("extra_wms_order")
    heard = {"wms": released.seen["wms"] + MINUTE}
    write.add(order, at, released.kind, heard, location=order.location, lines=rest, wms_order=twin)
    packed = write.pick_and_pack(order, at)
    for kind in ("order_picked", "order_packed"):
        step = order.find(kind)
        write.add(order, step.at, kind, dict(step.seen), wms_order=twin)
    at_first = write.ship(order, packed, pace=0.2, lines=first)
    at_second = write.ship(order, at_first + HOUR, pace=0.2, lines=rest)
    order.all("shipped")[1].data["wms_order"] = twin
    write.invoice(order, at_first, parcel=0)
    write.invoice(order, at_second, parcel=1)
    delivered = write.carry(order, at_second, parcel=1)
    write.carry(order, at_first, pace=0.3, parcel=0, delivered=delivered - 2 * MINUTE)


def held(scene: Scene, order: Order, placed: float) -> float:
    """Place an order that the ERP puts on credit hold; returns when it was entered there."""
    scene.write.booked(order, placed, pace=0.2)
    accepted = order.find("order_accepted")
    accepted.told["erp"] = {"held": True}
    return accepted.seen["erp"]


def delayed(scene: Scene, order: Order, placed: float, days: float = 8) -> tuple[Event, float]:
    """A parcel on its way of which the carrier says that it comes later, so many days after it has
    left: the scan, and when it is expected now. The OMS hears of it and promises anew."""
    write = scene.write
    left = write.ship(order, write.packed(order, placed, pace=0.05), pace=0.05)
    write.invoice(order, left, pace=0.05)
    departed = write.carry(order, left, pace=0.05, until="DP")
    expected = left + days * DAY
    at = departed + scene.rng.uniform(10 * MINUTE, HOUR)
    zone = ORIGIN_ZONE[order.location]
    return write.troubled(order, at, zone, "LATE TRUCK", expected), expected


def shipped_from_now_on(
    scene: Scene, after: float = MINUTE, line_count: int | None = None
) -> Order:
    """An order that ships in a moment and is posted, billed and picked up soon after.

    Nothing of that may lie before now: it moves stock, of which snapshots were taken.
    """
    order, _ = scene.order(RECENT, line_count)
    write = scene.write
    shipped = scene.now + after
    packed = shipped - 5 * MINUTE
    # The least that the steps before take, at pace 0.
    write.packed(order, packed - 71 * MINUTE, pace=0.0)
    write.ship(order, packed, pace=0.0)
    write.invoice(order, shipped, pace=0.0)
    write.carry(order, shipped, pace=0.0, until="PU")
    return order


def given_back(scene: Scene) -> tuple[Order, Line, float, dict[str, Any]]:
    """A delivered order of which something comes back: the order, the line, when the goods are back
    and what the events of the return tell. Days enough remain to have credited it."""
    order, placed = scene.order(OLD)
    shipped = scene.write.delivered(order, placed, pace=0.2)
    line = scene.rng.choice(order.lines)
    qty = line["pack"] * scene.rng.randrange(1, line["qty"] // line["pack"] + 1)
    data = return_of(scene.write, order, line, qty, scene.rng.choice(REASONS))
    return order, line, shipped + scene.rng.uniform(30 * HOUR, 34 * HOUR), data


def substituted(scene: Scene, order: Order, placed: float, systems: tuple[str, ...]) -> int:
    """The whole life of an order of whose first line another item is sent; returns that item.

    The warehouse sends it; of the others only ``systems`` are told.
    """
    write = scene.write
    whole_in_eaches(order)
    item = scene.other_item(order).number
    booked = write.booked(order, placed)
    at = booked + 25 * MINUTE
    write.add(order, at, "line_substituted", dict.fromkeys(systems, at), line=1, item=item)
    released = write.release(order, booked)
    shipped = write.ship(order, write.pick_and_pack(order, released))
    write.invoice(order, shipped)
    write.carry(order, shipped)
    for kind in ("order_released", "shipped"):
        event = order.find(kind)
        head, *others = event.data["lines"]
        event.told["wms"] = {"lines": [{**head, "item": item}, *others]}
    return item
