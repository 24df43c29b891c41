"""Decoys of stock: what looks wrong and is not."""

from __future__ import annotations

from sandbox.catalogue import erp_item
from sandbox.clock import MINUTE
from sandbox.decoys.decoy import decoy
from sandbox.faults.kind import Kind
from sandbox.scene import Scene
from sandbox.truth import Truth


def adjustment_in_flight(scene: Scene) -> Truth:
    item, location = scene.free_position()
    ref = scene.numbers.next("adjustment")
    at = scene.now - 20 * MINUTE
    scene.add(
        at,
        "stock_adjusted",
        ref,
        {"wms": at, "erp": scene.live()},
        ref=ref,
        item=item.number,
        location=location,
        qty=scene.rng.choice((-3, -2, 2, 4)),
        reason=scene.rng.choice(("CC", "CC")),
    )
    return decoy(
        "adjustment_in_flight",
        ["wms", "erp"],
        {"ref": ref, "gtin": item.gtin, "location": location, "item_no": erp_item(item.number)},
        at,
        "the ERP posts within its grace period",
    )


KINDS = (Kind("adjustment_in_flight", "Adjustment posted seconds from now", adjustment_in_flight),)
