"""Decoys of stock: what looks wrong and is not."""

from __future__ import annotations

from typing import Any

from sandbox.catalogue import CHANNELS, erp_item
from sandbox.clock import DAY, HOUR, MINUTE
from sandbox.decoys.decoy import decoy
from sandbox.faults.kind import Kind
from sandbox.scene import RECENT, Scene, keys_of
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


def receipt_revalued(scene: Scene) -> Truth:
    item, location = scene.free_position()
    ref = scene.numbers.next("receipt")
    at = scene.now - scene.rng.uniform(4 * DAY, 20 * DAY)
    posted = at + 5 * MINUTE
    valued = posted + scene.rng.uniform(DAY, 3 * DAY)
    data: dict[str, Any] = {"ref": ref, "item": item.number, "location": location}
    qty = item.case_pack * scene.rng.randrange(1, 6)
    scene.add(at, "stock_received", ref, {"wms": at, "erp": posted}, qty=qty, **data)
    scene.add(valued, "stock_revalued", ref, {"erp": valued}, **data)
    return decoy(
        "I11",
        ["erp"],
        {"ref": ref, "gtin": item.gtin, "location": location},
        valued,
        "the ERP books the value of a receipt days later, under the same number: no unit moves",
    )


def snapshot_in_a_wave(scene: Scene) -> Truth:
    item, location = scene.free_position()
    refs = [scene.numbers.next("receipt") for _ in range(3)]
    before, first, second, third = scene.now - MINUTE, *sorted(scene.live() for _ in range(3))
    heard = ((before, first), (first, second), (second, third))
    for ref, (wms, erp) in zip(refs, heard, strict=True):
        scene.add(
            wms,
            "stock_received",
            ref,
            {"wms": wms, "erp": erp},
            ref=ref,
            item=item.number,
            location=location,
            qty=item.case_pack,
        )
    return decoy(
        "I12",
        ["wms", "erp"],
        {"refs": refs, "gtin": item.gtin, "location": location},
        before,
        "pallets are put away while the balances are read; the ERP follows one by one",
    )


def blocked_in_flight(scene: Scene) -> Truth:
    item, location = scene.free_position()
    ref = scene.numbers.next("adjustment")
    at = scene.now - 20 * MINUTE
    scene.add(
        at,
        "stock_blocked",
        ref,
        {"wms": at, "erp": scene.live()},
        ref=ref,
        item=item.number,
        location=location,
        qty=scene.rng.randrange(1, 9),
    )
    return decoy(
        "blocked_in_flight",
        ["wms", "erp"],
        {"ref": ref, "gtin": item.gtin, "location": location},
        at,
        "the ERP blocks it within its grace period",
    )


def cancellation_in_flight(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    scene.write.released(order, placed, pace=0.2)
    at = scene.write.cancel(order, scene.now - 50 * MINUTE)
    order.find("lines_cancelled").seen["wms"] = scene.live()
    return decoy(
        "cancellation_in_flight",
        ["oms", "wms"],
        keys_of(order) | {"wms_order": order.wms_order},
        at,
        "the warehouse frees the stock within its grace period",
    )


def transfer_on_its_way(scene: Scene) -> Truth:
    item, source, target = scene.free_route()
    number = scene.numbers.next("transfer")
    ordered = scene.now - scene.rng.uniform(DAY, 3 * DAY)
    shipped = ordered + 2 * HOUR
    data: dict[str, Any] = {
        "transfer": number,
        "item": item.number,
        "qty": item.case_pack,
        "from": source,
        "to": target,
    }
    scene.add(ordered, "transfer_ordered", number, {"erp": ordered + 1.0}, **data)
    left = {"wms": shipped, "erp": shipped + 5 * MINUTE}
    scene.add(shipped, "transfer_shipped", number, left, **data)
    return decoy(
        "transfer_on_its_way",
        ["wms"],
        {"transfer": number, "gtin": item.gtin, "from": source, "to": target},
        shipped,
        "the truck takes days",
    )


def recounted(scene: Scene) -> Truth:
    item, location = scene.free_position()
    refs = [scene.numbers.next("adjustment") for _ in range(2)]
    at = scene.now - scene.rng.uniform(3 * DAY, 20 * DAY)
    qty = scene.rng.choice((-4, -3, 3, 4))
    for ref, counted, change in ((refs[0], at, qty), (refs[1], at + DAY, -qty)):
        scene.add(
            counted,
            "stock_adjusted",
            ref,
            {"wms": counted, "erp": counted + 10 * MINUTE},
            ref=ref,
            item=item.number,
            location=location,
            qty=change,
            reason="CC",
        )
    return decoy(
        "recounted",
        ["wms", "erp"],
        {"refs": refs, "gtin": item.gtin, "location": location},
        at,
        "a count was wrong and the next one says so; both are posted",
    )


def offer_refreshed_soon(scene: Scene) -> Truth:
    item, location = scene.free_position()
    at = scene.now - 30.0
    position = f"{item.gtin}@{location}"
    channel = scene.rng.choice(CHANNELS)
    data: dict[str, Any] = {
        "item": item.number,
        "location": location,
        "channel": channel,
        "qty": 5,
    }
    scene.add(at, "availability_missed", position, {"oms": at}, **data)
    live = scene.live()
    scene.add(live, "availability_refreshed", position, {"oms": live}, **data)
    return decoy(
        "offer_refreshed_soon",
        ["oms", "wms"],
        {"gtin": item.gtin, "location": location, "position": position},
        at,
        "the OMS takes units off its offer within its grace period",
    )


KINDS = (
    Kind(
        "offer_refreshed_soon",
        "Offer put right seconds from now",
        offer_refreshed_soon,
        takes_free_stock=True,
        needs=("channels",),
    ),
    Kind(
        "adjustment_in_flight",
        "Adjustment posted seconds from now",
        adjustment_in_flight,
        takes_free_stock=True,
    ),
    Kind("recounted", "Counted wrong, then right", recounted, takes_free_stock=True),
    Kind("I11", "Receipt valued days later", receipt_revalued, takes_free_stock=True),
    Kind("I12", "Snapshot amid receipts", snapshot_in_a_wave, takes_free_stock=True),
    Kind("blocked_in_flight", "Blocked seconds from now", blocked_in_flight, takes_free_stock=True),
    Kind("cancellation_in_flight", "Freed seconds from now", cancellation_in_flight),
    Kind(
        "transfer_on_its_way",
        "Transfer that takes days",
        transfer_on_its_way,
        takes_free_stock=True,
        needs=("transfers",),
    ),
)
