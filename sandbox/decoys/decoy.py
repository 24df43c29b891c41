"""What the families of decoys share."""

from __future__ import annotations

from typing import Any

from sandbox.clock import DAY, HOUR
from sandbox.orders import Order
from sandbox.scene import Scene
from sandbox.truth import Truth


def decoy(kind: str, systems: list[str], keys: dict[str, Any], since: float, why: str) -> Truth:
    return Truth(kind, systems, keys, since, values={"why": why}, decoy=True)


def whole_life_until_pickup(scene: Scene, order: Order, placed: float) -> None:
    """Shipped, posted, billed and picked up within the hours since ``placed``."""
    write = scene.write
    pace = min(0.3, (scene.now - placed - 4 * HOUR) / DAY / 2)
    at = write.ship(order, write.packed(order, placed, pace), pace)
    write.invoice(order, at, pace)
    write.carry(order, at, pace, until="PU")
