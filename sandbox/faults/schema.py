"""Faults of formats and codes: what a system suddenly writes otherwise."""

from __future__ import annotations

from sandbox.clock import MINUTE
from sandbox.faults.kind import Kind
from sandbox.scene import OLD, Scene, keys_of
from sandbox.truth import Truth


def unknown_scan_code(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    arrival = order.all("parcel_scanned")[-3]
    scene.write.scan(order, arrival.at + 5 * MINUTE, "ZZ", arrival.data["zone"])
    return Truth(
        kind="S4",
        systems=["carrier"],
        keys=keys_of(order, order.shipments[0]),
        since=arrival.at,
        expected=[("D03", "carrier.tracking_events.code=ZZ")],
        values={"carrier": "ZZ", "real": "in transit"},
    )


KINDS = (Kind("S4", "Carrier scan with an unknown code", unknown_scan_code),)
