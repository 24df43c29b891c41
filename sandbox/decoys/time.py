"""Decoys of time: what looks wrong and is not."""

from __future__ import annotations

from sandbox.decoys.decoy import decoy, whole_life_until_pickup
from sandbox.faults.kind import Kind
from sandbox.scene import RECENT, Scene, keys_of
from sandbox.truth import Truth

YEAR_2031 = 1_925_000_000.0
"""A moment in January 2031."""


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
        "C4",
        ["wms", "erp"],
        keys_of(order, parcel),
        shipped.seen["wms"],
        "the WMS wrote the year 2031 and sends the right date soon; the parcel did leave",
    )


KINDS = (Kind("C4", "Ship date in 2031, corrected soon", future_ship_date),)
