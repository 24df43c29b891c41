"""Decoys of time: what looks wrong and is not."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.clock import HOUR, MINUTE, NEW_YORK
from sandbox.decoys.decoy import decoy, whole_life_until_pickup
from sandbox.faults.kind import Kind
from sandbox.faults.time import YEAR_2031
from sandbox.orders import Order
from sandbox.scene import OLD, RECENT, WINDOWS, Scene, keys_of
from sandbox.truth import Truth

NEXT_MORNING = 15 * HOUR
"""Less than the rule about late reports tolerates."""


def future_ship_date(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    whole_life_until_pickup(scene, order, placed)
    shipped = order.find("shipped")
    shipped.told["wms"] = {"shipped_at": YEAR_2031}
    parcel = order.shipments[0]
    live = scene.live()
    scene.write.add(
        order,
        live,
        "shipment_redated",
        {"wms": live},
        shipment=parcel.shipment,
        shipped_at=shipped.seen["wms"],
    )
    return decoy(
        "redated_soon",
        ["wms", "erp"],
        keys_of(order, parcel),
        shipped.seen["wms"],
        "the WMS wrote the year 2031 and sends the right date soon; the parcel did leave",
    )


def date_without_time(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    delivery = order.all("parcel_scanned")[-1]
    delivery.told["oms"] = {"day_only": True}
    return decoy(
        "day_only",
        ["oms"],
        keys_of(order, order.shipments[0]),
        delivery.seen["oms"],
        "the OMS keeps the day of the delivery only, as midnight",
    )


def entered_late(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    accepted = scene.write.booked(order, placed)
    entered = accepted + 7 * HOUR
    scene.write.cancel(order, entered)
    order.find("lines_cancelled").told["oms"] = {"dated_earlier": 6 * HOUR}
    return decoy(
        "entered_late",
        ["oms", "erp"],
        keys_of(order),
        entered,
        "cancelled in the OMS under an earlier time; the ERP heard of it when it was entered",
    )


def reported_next_morning(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed, pace=0.3)
    scan = order.all("parcel_scanned")[-3]
    reported = scan.seen["carrier"] = scan.at + NEXT_MORNING
    return decoy(
        "reported_next_morning",
        ["carrier"],
        keys_of(order, order.shipments[0]),
        reported,
        "the scanner had no network over night: late, and not too late",
    )


def over_the_month_end(scene: Scene) -> Truth:
    order, shipped, first = _shipped_at_month_end(scene)
    event = order.find("shipped")
    event.seen |= {"erp": first + 3 * MINUTE, "oms": first + 4 * MINUTE}
    scene.write.invoice(order, shipped)
    scene.write.carry(order, shipped)
    return decoy(
        "C6",
        ["wms", "erp"],
        keys_of(order, order.shipments[0]),
        shipped,
        "shipped in one month and posted minutes later in the next, in time",
    )


def billed_before_cut_off(scene: Scene) -> Truth:
    order, shipped, first = _shipped_at_month_end(scene)
    invoiced = scene.write.billed(order, first + scene.rng.uniform(HOUR, 20 * HOUR))
    invoiced.data["dated"] = f"{datetime.fromtimestamp(shipped, NEW_YORK):%Y-%m-%d}"
    scene.write.carry(order, shipped)
    return decoy(
        "billed_before_cut_off",
        ["erp"],
        keys_of(order, order.shipments[0]) | {"invoice": invoiced.data["invoice"]},
        invoiced.at,
        "dated in the month before while its books were still open",
    )


def _shipped_at_month_end(scene: Scene) -> tuple[Order, float, float]:
    """An order that left minutes before a month ended: it, that moment and the end of the month."""
    order, _ = scene.order(OLD)
    write = scene.write
    local = datetime.fromtimestamp(scene.now, NEW_YORK)
    first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    youngest = scene.now - WINDOWS[OLD][0]
    while first.timestamp() > youngest:
        first = (first - timedelta(days=1)).replace(day=1)
    shipped = first.timestamp() - scene.rng.uniform(2 * MINUTE, 5 * MINUTE)
    # The least that the steps before take, at pace 0.
    packed = shipped - 5 * MINUTE
    write.packed(order, packed - 71 * MINUTE, pace=0.0)
    write.ship(order, packed, pace=0.0)
    return order, shipped, first.timestamp()


KINDS = (
    Kind("day_only", "The OMS keeps a delivery's day without its time", date_without_time),
    Kind("redated_soon", "Ship date in 2031, corrected soon", future_ship_date),
    Kind("entered_late", "Cancelled under an earlier date", entered_late),
    Kind("reported_next_morning", "A scan is reported the next morning", reported_next_morning),
    Kind("C6", "Shipped in one month, posted in the next", over_the_month_end),
    Kind(
        "billed_before_cut_off",
        "Dated in the month before, whose books are open",
        billed_before_cut_off,
        needs=("periods",),
    ),
)
