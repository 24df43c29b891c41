"""Decoys of formats: written otherwise, and still the same."""

from __future__ import annotations

from sandbox.clock import HOUR, iso_utc
from sandbox.decoys.decoy import decoy
from sandbox.faults.kind import DISTURBED_HOURS, Kind
from sandbox.scene import Scene
from sandbox.truth import Truth


def byte_order_mark(scene: Scene) -> Truth:
    until = scene.now + DISTURBED_HOURS * HOUR
    scene.disturb("erp", "items", "byte_order_mark", until)
    truth = decoy(
        "S8",
        ["erp"],
        {"feed": "erp.items"},
        scene.now,
        "its pages begin with a byte order mark; what follows is what it always was",
    )
    truth.values["until"] = iso_utc(until)
    return truth


KINDS = (
    Kind(
        "S8",
        "The ERP's pages of items begin with a byte order mark",
        byte_order_mark,
        undated=True,
        whole_feed="erp.items",
    ),
)
