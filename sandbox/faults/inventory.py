"""Faults of stock: movements, balances, states and reservations."""

from __future__ import annotations

from typing import Any

from sandbox.catalogue import CHANNELS, ERP_WAREHOUSE, Item, erp_item, wms_sku
from sandbox.clock import DAY, HOUR, MINUTE
from sandbox.faults.kind import Kind, correction_of
from sandbox.scene import OLD, Scene, keys_of
from sandbox.truth import Truth


def damage_unposted(scene: Scene) -> Truth:
    return _adjustment_unposted(scene, "I1", -scene.rng.randrange(1, 5), "DMG")


def count_unposted(scene: Scene) -> Truth:
    return _adjustment_unposted(scene, "I10", scene.rng.choice((-4, -3, -2, 2, 3)), "CC")


def _adjustment_unposted(scene: Scene, kind: str, qty: int, reason: str) -> Truth:
    return adjustment_unposted(scene, kind, scene.free_position(), qty, reason)


def adjustment_unposted(
    scene: Scene, kind: str, position: tuple[Item, str], qty: int, reason: str
) -> Truth:
    """The WMS adjusts what it holds at a position, and the ERP never posts it."""
    item, location = position
    ref = scene.numbers.next("adjustment")
    at = scene.now - scene.rng.uniform(4 * HOUR, 20 * DAY)
    scene.add(
        at,
        "stock_adjusted",
        ref,
        {"wms": at},
        ref=ref,
        item=item.number,
        location=location,
        qty=qty,
        reason=reason,
    )
    post = _post_movement(item, location, "701", qty, ref) | {"reason": reason}
    return _unposted(kind, "I11", item, location, ref, at, qty, post)


def movement_posted_twice(scene: Scene) -> Truth:
    item, location = scene.free_position()
    qty = item.case_pack * scene.rng.randrange(1, 6)
    ref = scene.numbers.next("receipt")
    return posted_twice(scene, "stock_received", "101", (item, location), qty, ref)


def posted_twice(
    scene: Scene,
    event: str,
    movement_type: str,
    position: tuple[Item, str],
    qty: int,
    ref: str,
    **more: Any,
) -> Truth:
    """A movement, of the kind of an event of the WMS, that the ERP posts a second time."""
    item, location = position
    at = scene.now - scene.rng.uniform(6 * HOUR, 20 * DAY)
    erp = at + 4 * MINUTE
    again = erp + scene.rng.uniform(5.0, 40 * MINUTE)
    data = {"ref": ref, "item": item.number, "location": location, "qty": qty, **more}
    scene.add(at, event, ref, {"wms": at, "erp": erp}, **data)
    scene.add(at, event, ref, {"erp": again}, **data)
    return Truth(
        kind="I2",
        systems=["erp", "wms"],
        keys={"ref": ref, "gtin": item.gtin, "location": location},
        since=again,
        expected=[("I12", ref)],
        values={"wms": [str(qty)], "erp": [str(qty), str(qty)], "real": [str(qty)]},
        correction=correction_of(
            "erp", "post_movement", **_post_movement(item, location, movement_type, -qty, ref)
        ),
        after={"erp": {"stock_movements": {"ref": ref, "qty": f"{-qty}.000"}}},
    )


def receipt_unposted(scene: Scene) -> Truth:
    item, location = scene.free_position()
    ref = scene.numbers.next("receipt")
    at = scene.now - scene.rng.uniform(6 * HOUR, 20 * DAY)
    qty = item.case_pack * scene.rng.randrange(1, 6)
    data = {"ref": ref, "item": item.number, "location": location, "qty": qty}
    scene.add(at, "stock_received", ref, {"wms": at}, **data)
    post = _post_movement(item, location, "101", qty, ref)
    return _unposted("I4", "I11R", item, location, ref, at, qty, post)


def _post_movement(
    item: Item, location: str, movement_type: str, qty: int, ref: str
) -> dict[str, Any]:
    """What a movement that the ERP is to post says."""
    return {
        "target_item": erp_item(item.number),
        "target_location": ERP_WAREHOUSE[location],
        "movement_type": movement_type,
        "quantity": str(qty),
        "document": ref,
    }


def _unposted(
    kind: str,
    rule: str,
    item: Item,
    location: str,
    ref: str,
    since: float,
    qty: int,
    post: dict[str, Any],
) -> Truth:
    """The WMS has a movement that the ERP never posted."""
    return Truth(
        kind=kind,
        systems=["wms", "erp"],
        keys={"ref": ref, "gtin": item.gtin, "location": location},
        since=since,
        expected=[(rule, ref)],
        values={"wms": str(qty), "erp": "absent", "real": str(qty)},
        correction=correction_of("erp", "post_movement", **post),
        after={"erp": {"stock_movements": {"ref": ref, "qty": f"{qty}.000"}}},
    )


def stock_phantom(scene: Scene) -> Truth:
    return _balance_drifted(scene, "I3", scene.rng.choice((3, 5, 7, 9, 11)))


def stock_hidden(scene: Scene) -> Truth:
    return _balance_drifted(scene, "I4", -scene.rng.choice((3, 5, 7, 9, 11)))


def packs_taken_for_units(scene: Scene) -> Truth:
    """Whole packs: somebody took one unit for another, and to set the balance would hide that."""
    item, location = scene.free_position()
    qty = item.case_pack * scene.rng.randrange(1, 4)
    truth = _balance_drifted(scene, "I3", qty, (item, location))
    truth.expected.insert(0, ("I10", f"{item.gtin}@{location}"))
    truth.correction = truth.after = None
    return truth


def _balance_drifted(
    scene: Scene, kind: str, qty: int, position: tuple[Item, str] | None = None
) -> Truth:
    item, location = position or scene.free_position()
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
        kind=kind,
        systems=["wms", "erp"],
        keys={
            "gtin": item.gtin,
            "location": location,
            "item_no": erp_item(item.number),
            "sku": wms_sku(item.number),
        },
        since=at,
        expected=[("I01", f"{item.gtin}@{location}")],
        values={
            "wms": "what there is",
            "erp": f"{qty:+} against the warehouse",
            "real": "the warehouse's figure",
        },
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
                    "qoh": {
                        "same_as": {
                            "in": "wms",
                            "entity": "inventory",
                            "where": {"Sku": wms_sku(item.number), "Whse": location},
                            "field": "OnHand",
                        }
                    },
                }
            }
        },
    )


MISKEYED = 50_000
"""Units of a count entered wrong: more than any position ever holds."""


def count_miskeyed(scene: Scene) -> Truth:
    item, location = scene.free_position()
    ref = scene.numbers.next("adjustment")
    at = scene.now - scene.rng.uniform(4 * HOUR, 20 * DAY)
    position = f"{item.gtin}@{location}"
    scene.add(
        at,
        "stock_miscounted",
        ref,
        {"wms": at, "erp": at + scene.rng.uniform(MINUTE, 30 * MINUTE)},
        ref=ref,
        item=item.number,
        location=location,
        qty=-MISKEYED,
        reason="CC",
    )
    return Truth(
        kind="I5",
        systems=["wms", "erp"],
        keys={"ref": ref, "gtin": item.gtin, "location": location, "position": position},
        since=at,
        expected=[("I07", position), ("I07E", position)],
        values={"wms": "below 0", "erp": "below 0", "real": "never moved"},
    )


def damage_unblocked(scene: Scene) -> Truth:
    item, location = scene.free_position()
    ref = scene.numbers.next("adjustment")
    at = scene.now - scene.rng.uniform(4 * HOUR, 20 * DAY)
    qty = scene.rng.randrange(1, 9)
    data = {"ref": ref, "item": item.number, "location": location, "qty": qty}
    scene.add(at, "stock_blocked", ref, {"wms": at}, **data)
    return Truth(
        kind="I6",
        systems=["wms", "erp"],
        keys={"ref": ref, "gtin": item.gtin, "location": location},
        since=at,
        expected=[("I06", ref)],
        values={"wms": f"{qty} damaged", "erp": "sellable", "real": f"{qty} damaged"},
    )


def block_drifted(scene: Scene) -> Truth:
    item, location = scene.free_position()
    ref = scene.numbers.next("adjustment")
    at = scene.now - scene.rng.uniform(2 * DAY, 20 * DAY)
    qty = scene.rng.randrange(1, 9)
    data = {"item": item.number, "location": location}
    position = f"{item.gtin}@{location}"
    posted = {"wms": at, "erp": at + 5 * MINUTE}
    scene.add(at, "stock_blocked", ref, posted, ref=ref, qty=qty, **data)
    drifted = scene.now - scene.rng.uniform(4 * HOUR, DAY)
    seen = {"erp": drifted}
    scene.add(drifted, "stock_drifted", position, seen, field="qblk", qty=-qty, **data)
    return Truth(
        kind="I6",
        systems=["wms", "erp"],
        keys={"gtin": item.gtin, "location": location, "position": position},
        since=drifted,
        expected=[("I06B", position)],
        values={"wms": f"{qty} damaged", "erp": "0 blocked", "real": f"{qty} damaged"},
    )


def cancelled_and_kept(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    released = scene.write.released(order, placed)
    at = scene.write.cancel(order, released + scene.rng.uniform(20 * MINUTE, 5 * HOUR))
    return Truth(
        kind="I7",
        systems=["wms", "oms"],
        keys=keys_of(order) | {"wms_order": order.wms_order},
        since=max(at + 1.0, order.find("order_released").seen["wms"]),
        expected=[("I03C", line) for line in order.objects()],
        values={"oms": "cancelled", "erp": "cancelled", "wms": "allocated", "real": "cancelled"},
    )


def reservation_kept(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    accepted = scene.write.booked(order, placed)
    at = scene.write.cancel(order, accepted + scene.rng.uniform(25 * MINUTE, 35 * MINUTE))
    cancelled = order.find("lines_cancelled")
    cancelled.told["oms"] = {"kept_reserved": True}
    return Truth(
        kind="I7",
        systems=["oms"],
        keys=keys_of(order),
        since=at + 1.0,
        expected=[("I03S", line) for line in order.objects()],
        values={"oms": "cancelled, and its units still reserved", "real": "cancelled"},
    )


def oversold(scene: Scene) -> Truth:
    item, location = scene.free_position()
    at = scene.now - scene.rng.uniform(2 * HOUR, 10 * DAY)
    units = scene.rng.randrange(3, 20)
    channel = scene.rng.choice(CHANNELS)
    position = f"{item.gtin}@{location}"
    data = {"item": item.number, "location": location, "channel": channel, "qty": units}
    scene.add(at, "availability_missed", position, {"oms": at}, **data)
    return Truth(
        kind="I8",
        systems=["oms", "wms"],
        keys={
            "gtin": item.gtin,
            "location": location,
            "position": position,
            "channel": channel,
        },
        # An offer has no date of its own: it is known from when it was read.
        since=scene.now,
        expected=[("I02", position)],
        values={"oms": f"{units} too many on {channel}", "wms": "right", "real": "right"},
    )


def transfer_lost(scene: Scene) -> Truth:
    return _transferred(scene, received=False)


def transfer_short(scene: Scene) -> Truth:
    return _transferred(scene, received=True)


def _transferred(scene: Scene, received: bool) -> Truth:
    item, source, target = scene.free_route()
    number = scene.numbers.next("transfer")
    qty = item.case_pack * scene.rng.randrange(1, 4)
    came = qty - scene.rng.randrange(1, item.case_pack) if received else 0
    ordered = scene.now - scene.rng.uniform(7 * DAY, 20 * DAY)
    shipped, arrived = ordered + 2 * HOUR, ordered + 20 * HOUR
    data = {"transfer": number, "item": item.number, "from": source, "to": target}
    scene.add(ordered, "transfer_ordered", number, {"erp": ordered + 1.0}, qty=qty, **data)
    left = {"wms": shipped, "erp": shipped + 5 * MINUTE}
    scene.add(shipped, "transfer_shipped", number, left, qty=qty, **data)
    if received:
        there = {"wms": arrived, "erp": arrived + 5 * MINUTE}
        scene.add(arrived, "transfer_received", number, there, qty=came, **data)
    return Truth(
        kind="I9",
        systems=["wms"],
        keys={"transfer": number, "gtin": item.gtin, "from": source, "to": target},
        since=shipped,
        expected=[("I08T", number)],
        values={
            "wms": f"{qty} shipped, {came if received else 'nothing'} received",
            "real": f"{came} came",
        },
    )


KINDS = (
    Kind(
        "I1", "Damaged stock never written off in the ERP", damage_unposted, takes_free_stock=True
    ),
    Kind(
        "I2", "Goods receipt posted twice in the ERP", movement_posted_twice, takes_free_stock=True
    ),
    Kind(
        "I3",
        "ERP shows more than there is, without a movement",
        stock_phantom,
        undated=True,
        takes_free_stock=True,
    ),
    Kind(
        "I3P",
        "ERP shows whole packs more than there are, without a movement",
        packs_taken_for_units,
        undated=True,
        takes_free_stock=True,
    ),
    Kind(
        "I4",
        "ERP shows less than there is, without a movement",
        stock_hidden,
        undated=True,
        takes_free_stock=True,
    ),
    Kind("I4R", "Goods receipt never posted in the ERP", receipt_unposted, takes_free_stock=True),
    Kind("I5", "Count keyed wrong: less than nothing", count_miskeyed, takes_free_stock=True),
    Kind(
        "I6", "Set aside as damaged, sellable in the ERP", damage_unblocked, takes_free_stock=True
    ),
    Kind(
        "I6B",
        "Blocked stock set free in the ERP without a movement",
        block_drifted,
        undated=True,
        takes_free_stock=True,
    ),
    Kind("I7", "Cancelled, but still allocated in the WMS", cancelled_and_kept, undated=True),
    Kind("I7R", "Cancelled, but still reserved in the OMS", reservation_kept, undated=True),
    Kind(
        "I8",
        "One channel offers units that are gone",
        oversold,
        undated=True,
        takes_free_stock=True,
        needs=("channels",),
    ),
    Kind(
        "I9",
        "Transfer lost on its way",
        transfer_lost,
        takes_free_stock=True,
        needs=("transfers",),
    ),
    Kind(
        "I9S",
        "Transfer received short",
        transfer_short,
        takes_free_stock=True,
        needs=("transfers",),
    ),
    Kind("I10", "Count never posted in the ERP", count_unposted, takes_free_stock=True),
)
