"""Decoys of lines that a supplier ships straight to the customer."""

from __future__ import annotations

from sandbox.buying import PROMISED_AFTER
from sandbox.clock import DAY, HOUR
from sandbox.decoys.decoy import decoy
from sandbox.drop_shipping import NEEDS
from sandbox.faults.drop_shipping import (
    bought,
    mixed_order,
    shipped_by_supplier,
    shipped_from_stock,
)
from sandbox.faults.kind import Kind
from sandbox.scene import Scene, keys_of
from sandbox.truth import Truth


def drop_shipped(scene: Scene) -> Truth:
    order, accepted = mixed_order(scene)
    late = order.lines[2]
    drop = bought(scene, order, accepted, accepted + PROMISED_AFTER)
    order.find("order_accepted").data["backordered"] = [late["line"]]
    shipped_by_supplier(scene, drop, accepted + 12 * HOUR)
    came = accepted + DAY
    scene.write.reserved(order, came, [late["line"]])
    shipped_from_stock(scene, order, came)
    return decoy(
        "drop_shipped",
        ["suppliers", "erp", "oms", "wms"],
        keys_of(order) | {"purchase": drop.number, "lines": [drop.part.objects()[0]]},
        accepted,
        "no warehouse ever hears of the first line: its supplier ships it to the customer, days"
        " before the others, of which one has to be replenished first",
    )


KINDS = (
    Kind(
        "drop_shipped",
        "One line drop-shipped, one replenished first",
        drop_shipped,
        needs=NEEDS,
    ),
)
