"""Decoys of corrections: what comes back, and is no news."""

from __future__ import annotations

from sandbox.clock import DAY, HOUR, MINUTE
from sandbox.decoys.decoy import decoy
from sandbox.faults.kind import Kind
from sandbox.scene import RECENT, Scene, keys_of
from sandbox.truth import Truth
from sandbox.views.oms import money


def price_echoed(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    accepted = scene.write.booked(order, placed)
    line = scene.rng.choice(order.lines)
    new = line["price"] + scene.rng.randrange(15, 200, 5)
    at = accepted + scene.rng.uniform(HOUR, 4 * HOUR)
    data = {"line": line["line"], "price": new}
    scene.write.add(order, at, "line_repriced", {"erp": at, "oms": at + 2 * MINUTE}, **data)
    # The OMS tells the ERP what the ERP had told it.
    back = at + 5 * MINUTE
    scene.write.add(order, back, "line_repriced", {"erp": back}, **data)
    return decoy(
        "X6",
        ["erp", "oms"],
        keys_of(order) | {"line": line["line"], "unit_price": money(new)},
        back,
        "the change comes back to where it was made, as one more change to the same price",
    )


def pack_put_back(scene: Scene) -> Truth:
    item = scene.free_item()
    at = scene.now - scene.rng.uniform(DAY, 20 * DAY)
    for later, pack in ((0.0, item.case_pack + 2), (20 * MINUTE, item.case_pack)):
        when = at + later
        scene.add(when, "item_repacked", item.gtin, {"wms": when}, item=item.number, case_pack=pack)
    return decoy(
        "pack_put_back",
        ["wms"],
        {"gtin": item.gtin},
        at,
        "a slip of the keyboard, put right after twenty minutes",
    )


KINDS = (
    Kind("X6", "A change that comes back as a new one", price_echoed),
    Kind(
        "pack_put_back",
        "A pack changed and put back",
        pack_put_back,
        takes_free_stock=True,
        mixed=False,
    ),
)
