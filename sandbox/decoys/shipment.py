"""Decoys of shipments and carriers: what looks wrong and is not."""

from __future__ import annotations

from sandbox.clock import HOUR, MINUTE, iso_utc
from sandbox.decoys.decoy import decoy
from sandbox.faults.kind import Kind, delayed, substituted, whole_in_eaches
from sandbox.orders import Line, Order
from sandbox.scene import OLD, RECENT, Scene, keys_of
from sandbox.truth import Truth


def shipped_just_now(scene: Scene) -> Truth:
    order, _ = scene.order(RECENT)
    write = scene.write
    shipped = scene.now - scene.rng.uniform(6 * MINUTE, 10 * MINUTE)
    packed = shipped - 5 * MINUTE
    # The least that every step takes is the placed order's age, with pace 0.
    placed = packed - 71 * MINUTE
    write.packed(order, placed, pace=0.0)
    write.ship(order, packed, pace=0.0)
    event = order.find("shipped")
    live = scene.live()
    event.seen |= {"erp": live, "oms": event.seen["wms"] + MINUTE}
    write.invoice(order, shipped)
    invoiced = order.find("invoiced")
    invoiced.at, invoiced.seen = live + 0.5, {"erp": live + 0.5}
    zone = "America/New_York"
    write.scan(order, shipped - 3 * MINUTE, "OC", zone, reported=shipped - 2 * MINUTE)
    write.scan(order, shipped + 2 * MINUTE, "PU", zone, reported=shipped + 3 * MINUTE)
    return decoy(
        "fresh_shipment",
        ["wms", "erp"],
        keys_of(order, order.shipments[0]),
        event.seen["wms"],
        "the ERP posts within its grace period",
    )


def _first_line_in_two(order: Order) -> tuple[list[Line], list[Line]]:
    """What two parcels hold: half of the first line and all others, and the other half."""
    whole_in_eaches(order, least=6)
    head, *others = order.lines
    second = head["qty"] // 2
    first = [{**head, "qty": head["qty"] - second, "last": False}]
    first += [{**line, "last": True} for line in others]
    return first, [{**head, "qty": second, "last": True}]


def two_parcels_one_line(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    write = scene.write
    first, rest = _first_line_in_two(order)
    packed = write.packed(order, placed)
    at_first = write.ship(order, packed, pace=0.2, lines=first, last=False)
    at_second = write.ship(order, at_first + 12 * HOUR, lines=rest)
    write.invoice(order, at_first, parcel=0)
    write.invoice(order, at_second, parcel=1)
    delivered = write.carry(order, at_second, parcel=1)
    write.carry(order, at_first, pace=0.3, parcel=0, delivered=delivered - 2 * MINUTE)
    return decoy(
        "two_parcels_one_line",
        ["wms", "erp", "carrier"],
        keys_of(order, order.shipments[0]) | {"second_shipment": order.shipments[1].shipment},
        at_first,
        "two partial shipments of one line, both posted and billed",
    )


def document_resent(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    at = scene.write.delivered(order, placed)
    parcel = order.shipments[0]
    again = at + scene.rng.uniform(HOUR, 10 * HOUR)
    scene.write.add(order, again, "shipment_resent", {"wms": again}, shipment=parcel.shipment)
    return decoy(
        "document_resent", ["wms"], keys_of(order, parcel), again, "the same document once more"
    )


def fulfilment_reposted(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    shipped = order.find("shipped")
    parcel = order.shipments[0]
    first = shipped.seen["wms"] + 2 * MINUTE
    shipped.seen["erp"] = first
    reversed_at, again = first + 3 * MINUTE, first + 6 * MINUTE
    scene.write.add(
        order,
        reversed_at,
        "fulfilment_reversed",
        {"erp": reversed_at},
        fulfilment=parcel.fulfilment,
        reason="posted to the wrong period",
    )
    number = scene.numbers.next("fulfilment")
    data = {key: value for key, value in shipped.data.items() if key not in order.header}
    data["fulfilment"] = number
    scene.write.add(order, again, "shipped", {"erp": again}, **data)
    return decoy(
        "fulfilment_reposted",
        ["erp"],
        keys_of(order, parcel) | {"fulfilment": number, "reversed": parcel.fulfilment},
        again,
        "the first fulfilment was reversed before the second was posted",
    )


def exception_then_delivered(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    out, delivery = order.all("parcel_scanned")[-2:]
    between = out.at + (delivery.at - out.at) / 2
    scene.write.troubled(order, between, delivery.data["zone"], "NOBODY HOME")
    return decoy(
        "exception_then_delivered",
        ["carrier"],
        keys_of(order, order.shipments[0]),
        between,
        "the second attempt succeeded",
    )


def delay_passed_on(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    late, expected = delayed(scene, order, placed)
    return decoy(
        "delay_passed_on",
        ["carrier", "oms"],
        keys_of(order, order.shipments[0]),
        late.at,
        f"the OMS was told of the delay and promises {iso_utc(expected)}, as the carrier does",
    )


def scans_out_of_order(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    pickup, departed = order.all("parcel_scanned")[1:3]
    arrived, out = order.all("parcel_scanned")[3:5]
    pickup.seen["carrier"] = departed.seen["carrier"] + MINUTE
    arrived.seen["carrier"] = out.seen["carrier"] + MINUTE
    return decoy(
        "scans_out_of_order",
        ["carrier"],
        keys_of(order, order.shipments[0]),
        arrived.at,
        "scans were reported in another order than they were made",
    )


def one_of_two_delivered(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    write = scene.write
    first, rest = _first_line_in_two(order)
    packed = write.packed(order, placed, pace=0.05)
    at_first = write.ship(order, packed, pace=0.05, lines=first, last=False)
    at_second = write.ship(order, at_first, pace=0.05, lines=rest)
    write.invoice(order, at_first, pace=0.05, parcel=0)
    write.invoice(order, at_second, pace=0.05, parcel=1)
    write.carry(order, at_first, pace=0.05, parcel=0)
    write.carry(order, at_second, pace=0.05, parcel=1, until="AR")
    return decoy(
        "H11",
        ["oms", "wms", "carrier"],
        keys_of(order, order.shipments[0]) | {"second_shipment": order.shipments[1].shipment},
        at_first,
        "one of two packages is delivered; the other is on its way, and so is the line",
    )


def label_waits(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    scene.write.packed(order, placed, pace=0.1)
    parcel = scene.write.parcel(order)
    label = scene.write.labelled(order, scene.now - scene.rng.uniform(HOUR, 5 * HOUR))
    return decoy(
        "label_waits",
        ["carrier", "wms"],
        keys_of(order, parcel),
        label.seen["carrier"],
        "labels are printed ahead; the parcel has two days to leave",
    )


def substitution_told(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    told = substituted(scene, order, placed, systems=("oms", "erp"))
    return decoy(
        "substitution_told",
        ["oms", "wms", "erp"],
        keys_of(order, order.shipments[0]) | {"gtin": scene.item(told).gtin},
        order.find("shipped").seen["wms"],
        "another item than was ordered, and all systems know of it",
    )


def a_parcel_for_each_line(scene: Scene) -> Truth:
    order, placed = scene.order(OLD, line_count=2)
    write = scene.write
    shipped = write.packed(order, placed)
    for number, line in enumerate(order.lines):
        last = number == len(order.lines) - 1
        parcel_lines = [{**line, "last": True}]
        shipped = write.ship(order, shipped, pace=0.2, lines=parcel_lines, last=last)
        write.invoice(order, shipped)
        write.carry(order, shipped)
    return decoy(
        "a_parcel_for_each_line",
        ["wms", "erp", "carrier"],
        keys_of(order, order.shipments[0]) | {"second_shipment": order.shipments[1].shipment},
        shipped,
        "one order in two parcels, and each line in one of them",
    )


def confirmed_after_pickup(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    write = scene.write
    packed = write.packed(order, placed)
    parcel = write.parcel(order)
    write.carry(order, packed + 10 * MINUTE)
    pickup = order.all("parcel_scanned")[1]
    shipped = write.left(order, pickup.at - 4 * MINUTE)
    late = scene.rng.uniform(10 * MINUTE, 30 * MINUTE)
    shipped.seen = {system: heard + late for system, heard in shipped.seen.items()}
    write.invoice(order, shipped.at + late)
    return decoy(
        "confirmed_after_pickup",
        ["wms", "carrier"],
        keys_of(order, parcel),
        shipped.seen["wms"],
        "the WMS confirmed the shipment minutes after the van had left, long before its delivery",
    )


KINDS = (
    Kind("fresh_shipment", "Shipped minutes ago, posted seconds from now", shipped_just_now),
    Kind("two_parcels_one_line", "Two partial shipments of one line", two_parcels_one_line),
    Kind("H11", "One of two packages delivered", one_of_two_delivered),
    Kind("a_parcel_for_each_line", "Two lines, two parcels", a_parcel_for_each_line),
    Kind("confirmed_after_pickup", "Confirmed as shipped after the pickup", confirmed_after_pickup),
    Kind("label_waits", "Label printed hours ago, not shipped yet", label_waits),
    Kind("substitution_told", "A substitution that all systems know of", substitution_told),
    Kind("document_resent", "The same shipment twice in the feed", document_resent),
    Kind("fulfilment_reposted", "Fulfilment reversed and posted again", fulfilment_reposted),
    Kind("exception_then_delivered", "Delivered at the second attempt", exception_then_delivered),
    Kind("delay_passed_on", "Later than promised, and promised anew", delay_passed_on),
    Kind("scans_out_of_order", "Scans reported out of order", scans_out_of_order),
)
