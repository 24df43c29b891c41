"""Faults of lines that a supplier ships straight to the customer, and such orders, staged."""

from __future__ import annotations

from sandbox.buying import PROMISED_AFTER
from sandbox.clock import DAY, HOUR, MINUTE
from sandbox.drop_shipping import NEEDS, DropShipment, part_of
from sandbox.faults.kind import Kind
from sandbox.orders import Order
from sandbox.scene import OLD, RECENT, Scene, keys_of
from sandbox.truth import Truth


def mixed_order(scene: Scene, age: str = OLD) -> tuple[Order, float]:
    """A booked order of three lines, of which no warehouse ships the first, and when it was
    accepted."""
    order, placed = scene.order(age, line_count=3)
    accepted = scene.write.booked(order, placed, pace=0.2)
    order.find("order_accepted").data["drop_shipped"] = [order.lines[0]["line"]]
    return order, accepted


def bought(scene: Scene, order: Order, accepted: float, promised: float) -> DropShipment:
    """The first line of an order is bought, and its supplier will ship it."""
    drop = DropShipment(scene.write, part_of(order, order.lines[:1]), scene.items)
    at = accepted + 25 * MINUTE
    scene.events += drop.order(at, promised)
    scene.events += drop.arrive(at + 10 * MINUTE)
    scene.events += drop.answer(at + 2 * HOUR, promised)
    return drop


def shipped_by_supplier(scene: Scene, drop: DropShipment, at: float) -> None:
    """It leaves, is billed on both sides, and comes to the customer."""
    scene.events += drop.ship(at)
    scene.write.billed(drop.part, at + 3 * HOUR)
    scene.events += drop.bill(at + 5 * HOUR)
    for hours, code in ((2, "PU"), (9, "AR"), (20, "OD")):
        scene.write.scan(drop.part, at + hours * HOUR, code, "America/Chicago")
    scene.write.dropped(drop.part, at + 26 * HOUR, "America/Chicago")


def shipped_from_stock(scene: Scene, order: Order, accepted: float) -> None:
    """The other lines of it go the usual way, in one parcel."""
    write, part = scene.write, part_of(order, order.lines[1:])
    packed = write.pick_and_pack(part, write.release(part, accepted, pace=0.2), pace=0.2)
    shipped = write.ship(part, packed, pace=0.2)
    write.invoice(part, shipped, pace=0.2)
    write.carry(part, shipped, pace=0.2)


def _drop_shipped(scene: Scene) -> tuple[Order, DropShipment]:
    """The whole life of a mixed order, with nothing wrong."""
    order, accepted = mixed_order(scene)
    drop = bought(scene, order, accepted, accepted + PROMISED_AFTER)
    shipped_from_stock(scene, order, accepted)
    shipped_by_supplier(scene, drop, accepted + 20 * HOUR)
    return order, drop


def shipped_not_posted(scene: Scene) -> Truth:
    order, drop = _drop_shipped(scene)
    parcel = drop.part.shipments[0]
    (left,) = (e for e in order.all("shipped") if e.data["shipment"] == parcel.shipment)
    del left.seen["erp"]
    _unbilled(order, drop)
    name = drop.part.objects()[0]
    return _truth(
        "H2",
        drop,
        left.at,
        [("S01D", name), ("F01D", name)],
        suppliers="shipped",
        erp="neither fulfilled nor invoiced",
        real="shipped",
    )


def not_invoiced(scene: Scene) -> Truth:
    order, drop = _drop_shipped(scene)
    _unbilled(order, drop)
    at = order.all("shipped")[-1].at
    expected = [("F01D", drop.part.objects()[0])]
    return _truth(
        "F1",
        drop,
        at,
        expected,
        suppliers="shipped",
        erp="fulfilled, not invoiced",
        real="shipped",
    )


def invoiced_not_shipped(scene: Scene) -> Truth:
    order, accepted = mixed_order(scene, RECENT)
    drop = bought(scene, order, accepted, scene.now + 10 * DAY)
    at = accepted + 4 * HOUR
    ghost, invoice = scene.numbers.next("notice"), scene.numbers.next("invoice")
    part = drop.part
    scene.write.add(
        part, at, "invoiced", {"erp": at}, invoice=invoice, shipment=ghost, lines=part.lines
    )
    expected = [("F02D", part.objects()[0])]
    return _truth(
        "F2",
        drop,
        at,
        expected,
        suppliers="promised for later",
        erp="invoiced",
        real="not shipped",
    )


def _unbilled(order: Order, drop: DropShipment) -> None:
    """The ERP never bills what the supplier shipped."""
    invoice = drop.part.shipments[0].invoice
    order.events.remove(
        next(event for event in order.all("invoiced") if event.data["invoice"] == invoice)
    )


def _truth(
    kind: str, drop: DropShipment, since: float, expected: list[tuple[str, str]], **values: str
) -> Truth:
    return Truth(
        kind=kind,
        systems=["suppliers", "erp"],
        keys=keys_of(drop.part) | {"purchase": drop.number},
        since=since,
        expected=expected,
        values=values,
    )


KINDS = (
    Kind("H2D", "Shipped by its supplier, not posted", shipped_not_posted, needs=NEEDS),
    Kind("F1D", "Shipped by its supplier, not invoiced", not_invoiced, needs=NEEDS),
    Kind("F2D", "Invoiced, its supplier ships later", invoiced_not_shipped, needs=NEEDS),
)
