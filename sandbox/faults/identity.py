"""Faults of master data: items, packs, locations and partners."""

from __future__ import annotations

from sandbox.catalogue import wms_sku
from sandbox.clock import DAY, HOUR
from sandbox.faults.kind import Kind, correction_of
from sandbox.scene import Scene
from sandbox.truth import Truth


def pack_differs(scene: Scene) -> Truth:
    item = scene.free_item()
    wrong = item.case_pack + scene.rng.choice((-2, 2, 4))
    at = scene.now - scene.rng.uniform(4 * HOUR, 20 * DAY)
    scene.add(at, "item_repacked", item.gtin, {"wms": at}, item=item.number, case_pack=wrong)
    return Truth(
        kind="M6",
        systems=["wms", "erp"],
        keys={"gtin": item.gtin, "sku": wms_sku(item.number)},
        since=at,
        expected=[("M02", item.gtin)],
        values={"wms": wrong, "erp": item.case_pack, "real": item.case_pack, "field": "case_pack"},
        correction=correction_of(
            "wms",
            "set_pack",
            target_item=wms_sku(item.number),
            pack_quantity=str(item.case_pack),
            old_pack_quantity=str(wrong),
        ),
        after={"wms": {"items": {"Sku": wms_sku(item.number), "CasePack": item.case_pack}}},
    )


KINDS = (
    Kind(
        "M6",
        "Case pack in the WMS differs from the item master",
        pack_differs,
        undated=True,
        takes_free_stock=True,
    ),
)
