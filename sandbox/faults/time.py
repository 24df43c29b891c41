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
    write = scene.write
    shipped = write.ship(order, write.packed(order, placed))
    write.invoice(order, shipped)
    # A way so short that without its zone the delivery seems to come before the shipping.
    write.carry(order, shipped, pace=0.0)
    delivery = order.all("parcel_scanned")[-1]
    delivery.data["zone"] = "America/Los_Angeles"
    delivery.told["carrier"] = {"zone_dropped": True}
    tracking = order.shipments[0].tracking
    return Truth(
        kind="C2",
        systems=["carrier"],
        keys=keys_of(order, order.shipments[0]),
        since=delivery.seen["carrier"],
        expected=[("S06", tracking), ("O08C", tracking)],
        values={"carrier": "the local time, as if it were UTC", "real": iso_utc(delivery.at)},
    )


KINDS = (
    Kind(
        "C1",
        "The carrier's clock runs 25 minutes fast",
        clock_skewed,
        undated=True,
        whole_feed="carrier",
    ),
    Kind("C2", "A delivery scan without its time zone", zone_dropped),
)
