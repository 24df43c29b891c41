"""Faults of stock: movements, balances, states and reservations."""

from __future__ import annotations

from typing import Any

from sandbox.catalogue import ERP_WAREHOUSE, erp_item, wms_sku
from sandbox.clock import DAY, HOUR, MINUTE
from sandbox.faults.kind import Kind, correction_of
from sandbox.scene import Scene
from sandbox.truth import Truth


def movement_unposted(scene: Scene) -> Truth:
    item, location = scene.free_position()
    ref = scene.numbers.next("adjustment")
    at = scene.now - scene.rng.uniform(4 * HOUR, 20 * DAY)
    qty = scene.rng.choice((-4, -3, -2, 2, 3))
    scene.add(
        at,
        "stock_adjusted",
        ref,
        {"wms": at},
        ref=ref,
        item=item.number,
        location=location,
        qty=qty,
        reason="CC",
    )
    return Truth(
        kind="I1",
        systems=["wms", "erp"],
        keys={"ref": ref, "gtin": item.gtin, "location": location},
        since=at,
        expected=[("I11", ref)],
        values={"wms": str(qty), "erp": "absent", "real": str(qty)},
        correction=correction_of(
            "erp",
            "post_movement",
            target_item=erp_item(item.number),
            target_location=ERP_WAREHOUSE[location],
            movement_type="701",
            quantity=str(qty),
            document=ref,
            reason="CC",
        ),
        after={"erp": {"stock_movements": {"ref": ref, "qty": f"{qty}.000"}}},
    )


def movement_posted_twice(scene: Scene) -> Truth:
    item, location = scene.free_position()
    ref = scene.numbers.next("receipt")
    at = scene.now - scene.rng.uniform(6 * HOUR, 20 * DAY)
    qty = item.case_pack * scene.rng.randrange(1, 6)
    erp = at + 4 * MINUTE
    again = erp + scene.rng.uniform(5.0, 40 * MINUTE)
    data: dict[str, Any] = {
        "ref": ref,
        "item": item.number,
        "location": location,
        "qty": qty,
    }
    scene.add(at, "stock_received", ref, {"wms": at, "erp": erp}, **data)
    scene.add(at, "stock_received", ref, {"erp": again}, **data)
    return Truth(
        kind="I2",
        systems=["erp", "wms"],
        keys={"ref": ref, "gtin": item.gtin, "location": location},
        since=again,
        expected=[("I12", ref)],
        values={"wms": [str(qty)], "erp": [str(qty), str(qty)], "real": [str(qty)]},
        correction=correction_of(
            "erp",
            "post_movement",
            target_item=erp_item(item.number),
            target_location=ERP_WAREHOUSE[location],
            movement_type="101",
            quantity=str(-qty),
            document=ref,
        ),
        after={"erp": {"stock_movements": {"ref": ref, "sum": f"{qty}.000"}}},
    )


def balance_drifted(scene: Scene) -> Truth:
    item, location = scene.free_position()
    qty = scene.rng.choice((-9, -7, -5, 5, 7, 11))
    at = scene.now - scene.rng.uniform(4 * HOUR, 10 * DAY)
    scene.add(
        at,
        "stock_drifted",
        f"{item.gtin}@{location}",
        {"erp": at},
        item=item.number,
        location=location,
        qty=qty,
    )
    return Truth(
        kind="I3",
        systems=["wms", "erp"],
        keys={
            "gtin": item.gtin,
            "location": location,
            "item_no": erp_item(item.number),
            "sku": wms_sku(item.number),
        },
        since=at,
        expected=[("I01", f"{item.gtin}@{location}")],
        values={"erp_minus_wms": str(qty), "real": "the warehouse's figure"},
        correction=correction_of(
            "erp",
            "adjust_stock",
            target_item=erp_item(item.number),
            target_location=ERP_WAREHOUSE[location],
            quantity_delta=str(-qty),
        ),
        after={
            "erp": {
                "stock": {
                    "item_no": erp_item(item.number),
                    "whs": ERP_WAREHOUSE[location],
                    "qoh": "equals WMS OnHand",
                }
            }
        },
    )


KINDS = (
    Kind(
        "I1", "Stock adjustment never posted in the ERP", movement_unposted, takes_free_stock=True
    ),
    Kind(
        "I2", "Goods receipt posted twice in the ERP", movement_posted_twice, takes_free_stock=True
    ),
    Kind(
        "I3",
        "ERP quantity on hand changed without a movement",
        balance_drifted,
        undated=True,
        takes_free_stock=True,
    ),
)
