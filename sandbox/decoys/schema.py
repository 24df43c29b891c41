"""Decoys of formats: written otherwise, and still the same."""

from __future__ import annotations

from sandbox.catalogue import erp_item
from sandbox.decoys.decoy import decoy
from sandbox.faults.kind import Kind, retold
from sandbox.scene import Scene
from sandbox.truth import Truth


def described_in_another_language(scene: Scene) -> Truth:
    # Not one whose record holds a fault: the change would hide since when that is wrong.
    item = scene.rng.choice([item for item in scene.items if not item.eaches_only])
    told = f"Dichtungsring, schwarz, Größe {item.number}"
    retold(scene, "erp", "items", erp_item(item.number), {"descr": told})
    return decoy(
        "accented_text",
        ["erp"],
        {"gtin": item.gtin, "item_no": erp_item(item.number)},
        scene.now,
        "letters beyond ASCII are what UTF-8 is for",
    )


KINDS = (
    Kind("accented_text", "The ERP describes an item in German", described_in_another_language),
)
