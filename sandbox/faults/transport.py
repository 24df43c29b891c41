"""Faults of transport: messages lost, doubled, late or out of order."""

from __future__ import annotations

from sandbox.catalogue import wms_sku
from sandbox.faults.kind import Kind, correction_of
from sandbox.scene import RECENT, Scene, keys_of
from sandbox.truth import Truth


def release_lost(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    scene.write.released(order, placed, pace=0.2)
    released = order.find("order_released")
    del released.seen["wms"]
    return Truth(
        kind="T1",
        systems=["erp", "wms"],
        keys=keys_of(order),
        since=released.seen["erp"],
        expected=[("O06", name) for name in order.objects()],
        values={"erp": "released", "wms": "absent", "real": "released"},
        correction=correction_of(
            "wms",
            "create_warehouse_order",
            host_order=order.doc_no,
            location=order.location,
            lines=[
                {
                    "host_line": str(line["line"] * 10),
                    "target_item": wms_sku(line["item"]),
                    "quantity": str(line["qty"]),
                    "uom": "EA",
                }
                for line in order.lines
            ],
        ),
        after={"wms": {"orders": {"HostOrder": order.doc_no, "Status": "NEW"}}},
    )


KINDS = (Kind("T1", "Released in the ERP, never reached the WMS", release_lost),)
