"""Faults of time: clocks that run wrong, zones that are dropped."""

from __future__ import annotations

from sandbox.clock import HOUR, MINUTE, iso_utc, local_naive
from sandbox.faults.kind import DISTURBED_HOURS, Kind, disturbed_feed, retold
from sandbox.scene import OLD, RECENT, Scene, keys_of
from sandbox.truth import Truth

YEAR_2031 = 1_925_000_000.0
"""A moment in January 2031."""

REPORTED_AFTER = 30 * HOUR
"""More than the rule about late reports tolerates."""

SKEW_MINUTES = 25
"""More than the rule about clocks tolerates."""


def clock_fast(scene: Scene) -> Truth:
    return _clock_skewed(scene, SKEW_MINUTES, "fast")


def clock_slow(scene: Scene) -> Truth:
    return _clock_skewed(scene, -SKEW_MINUTES, "slow")


def _clock_skewed(scene: Scene, minutes: int, runs: str) -> Truth:
    until = scene.now + DISTURBED_HOURS * HOUR
    scene.disturb("carrier", None, "clock_ahead", until, seconds=minutes * MINUTE)
    return Truth(
        kind="C1",
        systems=["carrier"],
        keys={"system": "carrier"},
        since=scene.now,
        expected=[("D04", "carrier")],
        values={
            "carrier": f"{SKEW_MINUTES} minutes {runs}",
            "real": "scanned when it always is",
            "until": iso_utc(until),
        },
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


def day_without_time(scene: Scene) -> Truth:
    truth = disturbed_feed(
        scene, "C3", "oms", "orders", "time_cut_off", ("D03",), "the day of each order, as midnight"
    )
    truth.expected = [("D03", "oms.order_lines")]
    truth.keys = {"feed": "oms.order_lines", "orders": []}
    for number in range(1, 4):
        order, _ = scene.order(RECENT)
        scene.write.booked(order, scene.now + number * MINUTE, pace=0.0)
        truth.keys["orders"].append(keys_of(order))
    return truth


def billed_in_the_future(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    posted = order.find("invoiced").seen["erp"]
    invoice = order.shipments[0].invoice
    retold(scene, "erp", "invoices", invoice, {"posted": local_naive(YEAR_2031)})
    mended = scene.now + DISTURBED_HOURS * HOUR
    retold(scene, "erp", "invoices", invoice, {"posted": local_naive(posted)}, at=mended)
    return Truth(
        kind="C4",
        systems=["erp"],
        keys=keys_of(order, order.shipments[0]) | {"invoice": invoice, "feed": "erp.invoice_lines"},
        since=scene.now,
        expected=[("D04F", "erp.invoice_lines")],
        values={"erp": "posted in 2031", "real": local_naive(posted), "until": iso_utc(mended)},
        passes=True,
    )


def reported_late(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed, pace=0.3)
    scan = order.all("parcel_scanned")[-3]
    reported = scan.seen["carrier"] = scan.at + REPORTED_AFTER
    return Truth(
        kind="C5",
        systems=["carrier"],
        keys=keys_of(order, order.shipments[0]) | {"feed": "carrier.tracking_events"},
        since=reported,
        expected=[("D04B", "carrier.tracking_events")],
        values={"carrier": "a scan that is reported days later", "real": iso_utc(scan.at)},
        passes=True,
    )


KINDS = (
    Kind(
        "C1",
        "The carrier's clock runs 25 minutes fast",
        clock_fast,
        undated=True,
        whole_feed="carrier",
    ),
    Kind(
        "C1S",
        "The carrier's clock runs 25 minutes slow",
        clock_slow,
        undated=True,
        whole_feed="carrier",
    ),
    Kind("C2", "A delivery scan without its time zone", zone_dropped),
    Kind(
        "C3",
        "The OMS tells the days of orders without their times",
        day_without_time,
        undated=True,
        whole_feed="oms.orders",
    ),
    Kind(
        "C4",
        "The ERP posts an invoice under the year 2031",
        billed_in_the_future,
        undated=True,
        mixed=False,
    ),
    Kind("C5", "The carrier reports a scan more than a day late", reported_late),
)
