"""Decoys of transport: messages doubled, late or out of order, that change nothing."""

from __future__ import annotations

from sandbox.clock import HOUR, MINUTE
from sandbox.decoys.decoy import decoy
from sandbox.decoys.order import price_in_flight
from sandbox.faults.kind import Kind
from sandbox.faults.transport import shipped_from_now_on
from sandbox.scene import OLD, Scene, keys_of
from sandbox.truth import Truth

OUTAGE_MINUTES = 10


def scan_resent(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    again = order.all("parcel_scanned")[-1].seen["carrier"] + scene.rng.uniform(MINUTE, HOUR)
    tracking = order.shipments[0].tracking
    scene.add(again, "last_scan_resent", order.order, {"carrier": again}, tracking=tracking)
    return decoy(
        "T2",
        ["carrier"],
        keys_of(order, order.shipments[0]),
        again,
        "the same scan, under its own number, once more",
    )


def scans_renumbered(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    for scan in order.all("parcel_scanned"):
        again = scan.seen["carrier"] + scene.rng.uniform(MINUTE, HOUR)
        data = {key: value for key, value in scan.data.items() if key not in order.header}
        scene.write.add(order, scan.at, "parcel_scanned", {"carrier": again}, **data)
    return decoy(
        "T3",
        ["carrier"],
        keys_of(order, order.shipments[0]),
        order.find("shipped").seen["wms"],
        "every scan came a second time under a new number: the parcel went its way once",
    )


def old_version_last(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    again = order.find("shipped").seen["wms"] + scene.rng.uniform(MINUTE, HOUR)
    data = {"entity": "orders", "record": order.wms_order, "nth": 1}
    scene.add(again, "version_resent", order.order, {"wms": again}, **data)
    return decoy(
        "T5",
        ["wms"],
        keys_of(order, order.shipments[0]),
        again,
        "the version that says picked came after the one that says shipped",
    )


def batch_replayed(scene: Scene) -> Truth:
    orders = [scene.order(OLD) for _ in range(3)]
    for order, placed in orders:
        scene.write.delivered(order, placed)
    last = max(event.seen["wms"] for order, _ in orders for event in order.all("shipped"))
    again = min(last + 2 * HOUR, scene.now - MINUTE)
    records = {
        "orders": [order.wms_order for order, _ in orders],
        "shipments": [order.shipments[0].shipment for order, _ in orders],
    }
    for entity, found in records.items():
        data = {"entity": entity, "records": found}
        scene.add(again, "records_resent", found[0], {"wms": again}, **data)
    keys = [keys_of(order, order.shipments[0]) for order, _ in orders]
    return decoy(
        "batch_resent",
        ["wms"],
        keys[0] | {"others": keys[1:]},
        again,
        "a batch of the feed came whole a second time, old versions after new ones",
    )


def short_outage(scene: Scene) -> Truth:
    order = shipped_from_now_on(scene)
    scene.disturb("carrier", None, "status_503", scene.now + OUTAGE_MINUTES * MINUTE)
    return decoy(
        "short_outage",
        ["carrier"],
        keys_of(order, order.shipments[0]),
        scene.now,
        f"the carrier is away for {OUTAGE_MINUTES} minutes and then tells everything at once",
    )


def stamped_earlier(scene: Scene) -> Truth:
    truth = price_in_flight(scene)
    truth.kind = "stamped_earlier"
    truth.values["why"] = (
        "the OMS copies the price in time, under a change time before that of what it told already"
    )
    # Less than the overlap with which every reading begins.
    scene.orders[-1].find("line_repriced").told["oms"] = {"stamped_earlier": 1.5}
    return truth


KINDS = (
    Kind("T2", "A scan comes twice under its own number", scan_resent),
    Kind("T3", "Scans come twice under new numbers", scans_renumbered),
    Kind("T5", "An old version comes after the new ones", old_version_last),
    Kind("batch_resent", "A batch of the WMS's feed comes whole once more", batch_replayed),
    Kind("stamped_earlier", "A price copied under an earlier change time", stamped_earlier),
    Kind(
        "short_outage",
        "The carrier is away for ten minutes, then tells all at once",
        short_outage,
        undated=True,
        whole_feed="carrier",
    ),
)
