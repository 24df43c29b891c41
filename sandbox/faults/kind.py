"""What a kind of fault or decoy is, and what the families of them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.orders import Line, Order
from sandbox.scene import Scene
from sandbox.settings import Settings
from sandbox.truth import Truth

Stage = Callable[[Scene], Truth]


@dataclass(frozen=True)
class Kind:
    """One kind of fault or decoy. ``stage`` puts one more of it on a scene and tells the truth.

    ``undated``: nothing in it carries a date of its own, only the last change does. So one that is
    injected later begins at its injection and falls due a grace period after it.
    ``takes_free_stock``: needs items or positions that no other kind uses, so it is staged first.
    ``needs``: business processes and trading partners without which a world can't hold it.
    """

    name: str
    title: str
    stage: Stage
    undated: bool = False
    takes_free_stock: bool = False
    needs: tuple[str, ...] = ()

    def missing(self, settings: Settings) -> tuple[str, ...]:
        """What of its needs a world of these settings has not."""
        there = {*settings.processes, *settings.partners}
        return tuple(need for need in self.needs if need not in there)


def erp_lines(lines: list[Line]) -> list[dict[str, str]]:
    """The lines as the ERP's corrections name them."""
    return [{"line_record": str(line["line"] * 10), "quantity": str(line["qty"])} for line in lines]


def correction_of(system: str, kind: str, approval: bool = False, **payload: Any) -> dict[str, Any]:
    """The expected correction of a fault."""
    return {"system": system, "kind": kind, "needs_approval": approval, "payload": payload}


def whole_in_eaches(order: Order) -> None:
    """Make the first line one of several eaches, so that a part of it can go astray."""
    order.lines[0] |= {"uom": "EA", "pack": 1, "qty": max(4, order.lines[0]["qty"])}
