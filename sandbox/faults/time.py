"""Faults of time: clocks that run wrong, zones that are dropped."""

from __future__ import annotations

from sandbox.clock import HOUR, MINUTE, iso_utc
from sandbox.faults.kind import DISTURBED_HOURS, Kind
from sandbox.scene import OLD, Scene, keys_of
from sandbox.truth import Truth

SKEW_MINUTES = 25
"""More than the rule about clocks tolerates."""


def clock_skewed(scene: Scene) -> Truth:
    until = scene.now + DISTURBED_HOURS * HOUR
    scene.disturb("carrier", None, "clock_ahead", until, seconds=SKEW_MINUTES * MINUTE)
    return Truth(
        kind="C1",
        systems=["carrier"],
        keys={"system": "carrier"},
        since=scene.now,
        expected=[("D04", "carrier")],
        values={"carrier": f"{SKEW_MINUTES} minutes fast", "until": iso_utc(until)},
    )


def zone_dropped(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    out, delivery = order.all("parcel_scanned")[-2:]
    # A long way, and out for delivery an hour before: so it is plain which came first.
    delivery.at += 12 * HOUR
    out.at = delivery.at - HOUR
    for scan, delay in ((out, 2 * MINUTE), (delivery, 3 * MINUTE)):
        scan.data["scanned_at"] = scan.at
        scan.seen["carrier"] = scan.at + delay
    delivery.seen["oms"] = delivery.seen["carrier"] + 2 * MINUTE
    delivery.told["carrier"] = {"zone_dropped": True}
    return Truth(
        kind="C2",
        systems=["carrier"],
        keys=keys_of(order, order.shipments[0]),
        since=delivery.seen["carrier"],
        expected=[("O08C", order.shipments[0].tracking)],
        values={"carrier": "the local time, as if it were UTC", "real": iso_utc(delivery.at)},
    )


KINDS = (
    Kind(
        "C1", "The carrier's clock runs 25 minutes fast", clock_skewed, undated=True,
        whole_feed="carrier",
    ),
    Kind("C2", "A delivery scan without its time zone", zone_dropped),
)
