"""Decoys of orders: what looks wrong and is not."""

from __future__ import annotations

from sandbox.clock import HOUR, MINUTE
from sandbox.decoys.decoy import decoy
from sandbox.faults.kind import Kind, held, in_two_warehouse_orders, whole_in_eaches
from sandbox.scene import OLD, RECENT, Scene, keys_of, told_once
from sandbox.truth import Truth
from sandbox.views.oms import money


def cancelled_after_shipping(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    write = scene.write
    at = write.ship(order, write.packed(order, placed))
    write.invoice(order, at)
    departed = write.carry(order, at, until="DP")
    cancelled = write.cancel(order, departed + 2 * HOUR, systems=("oms",))
    write.troubled(order, cancelled + 5 * HOUR, "America/Chicago", "RETURN TO SENDER")
    return decoy(
        "cancelled_after_shipping",
        ["oms", "erp"],
        keys_of(order, order.shipments[0]),
        cancelled,
        "what has shipped comes back as a return; nothing to cancel in the ERP",
    )


def cases_against_eaches(scene: Scene) -> Truth:
    order, placed = scene.order(OLD, in_cases=True)
    at = scene.write.delivered(order, placed)
    return decoy(
        "cases_against_eaches",
        ["wms", "erp"],
        keys_of(order, order.shipments[0]),
        at,
        "the WMS counts cases, the ERP eaches; the quantities are equal",
    )


def order_repeated(scene: Scene) -> Truth:
    first, placed = scene.order(OLD)
    scene.write.delivered(first, placed)
    second, placed = scene.order(OLD, like=first)
    scene.write.delivered(second, placed)
    return decoy(
        "order_repeated",
        ["oms", "erp"],
        keys_of(second, second.shipments[0]) | {"first_order_number": first.order},
        placed,
        "the customer ordered the same again, under another purchase order number",
    )


def price_in_flight(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    scene.write.booked(order, placed)
    line = scene.rng.choice(order.lines)
    new = line["price"] + scene.rng.randrange(15, 200, 5)
    at = scene.now - 10 * MINUTE
    scene.write.add(
        order,
        at,
        "line_repriced",
        {"erp": at, "oms": scene.live()},
        line=line["line"],
        price=new,
    )
    return decoy(
        "price_in_flight",
        ["erp", "oms"],
        keys_of(order) | {"line": line["line"], "unit_price": money(new)},
        at,
        "the OMS copies the price within its grace period",
    )


def change_in_flight(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    scene.write.booked(order, placed)
    line = scene.rng.choice(order.lines)
    at = scene.now - 10 * MINUTE
    scene.write.add(
        order,
        at,
        "line_quantity_changed",
        {"oms": at, "erp": scene.live()},
        line=line["line"],
        qty=line["qty"] + scene.rng.randrange(1, 6),
    )
    return decoy(
        "change_in_flight",
        ["oms", "erp"],
        keys_of(order) | {"line": line["line"]},
        at,
        "the ERP hears of the changed quantity within its grace period",
    )


def cancelled_before_erp(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    accepted = scene.write.booked(order, placed)
    del order.find("order_accepted").seen["erp"]
    scene.write.cancel(order, accepted + 6 * MINUTE, systems=("oms",))
    return decoy(
        "cancelled_before_erp",
        ["oms", "erp"],
        {"order_number": order.order},
        accepted,
        "cancelled minutes after it was accepted, so the ERP never got it",
    )


def waits_for_stock(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    scene.write.booked(order, placed)
    order.find("order_accepted").data["backordered"] = [line["line"] for line in order.lines]
    return decoy(
        "waits_for_stock",
        ["oms", "erp"],
        keys_of(order),
        order.find("order_accepted").seen["erp"],
        "backordered: waits for stock; it is released within four days",
    )


def split_in_two(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    whole_in_eaches(order)
    ordered = order.lines[0]["qty"]
    in_two_warehouse_orders(scene, order, placed, (ordered // 2, ordered - ordered // 2))
    return decoy(
        "split_in_two",
        ["erp", "wms"],
        keys_of(order, order.shipments[0]) | {"second_shipment": order.shipments[1].shipment},
        order.find("order_released").seen["erp"],
        "two warehouse orders that add up to the order",
    )


def released_at_once(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    write = scene.write
    at = write.accept(order, write.place(order, told_once(placed)))
    accepted = order.find("order_accepted")
    released = write.handed_over(order, accepted.seen["erp"] + MINUTE)
    released.seen["wms"] = released.seen["erp"] + 5.0
    return decoy(
        "released_at_once",
        ["erp", "wms"],
        keys_of(order) | {"wms_order": order.wms_order},
        at,
        "released a minute after it was accepted: quick, but in the right order",
    )


def held_and_checked(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    entered = held(scene, order, placed)
    at = entered + scene.rng.uniform(30 * MINUTE, 3 * HOUR)
    scene.write.add(order, at, "credit_checked", {"erp": at})
    scene.write.release(order, at, pace=0.1)
    return decoy(
        "held_and_checked",
        ["erp"],
        keys_of(order),
        at,
        "held until somebody had checked the customer's credit, then booked and released",
    )


def number_in_both(scene: Scene) -> Truth:
    first, before = scene.order(OLD)
    scene.write.delivered(first, before)
    order, placed = scene.order(OLD)
    scene.write.in_north(order, first.doc_no)
    at = scene.write.delivered(order, placed)
    return decoy(
        "number_in_both",
        ["erp", "erp_north"],
        keys_of(order, order.shipments[0]) | {"other_order": first.order},
        at,
        "each ERP counts for itself; to the warehouse the north names its orders with its region",
    )


KINDS = (
    Kind(
        "cancelled_after_shipping",
        "Cancelled in the OMS after it had shipped",
        cancelled_after_shipping,
    ),
    Kind("cases_against_eaches", "Cases in the WMS, eaches in the ERP", cases_against_eaches),
    Kind("order_repeated", "The same lines under another purchase order", order_repeated),
    Kind("price_in_flight", "Price copied seconds from now", price_in_flight),
    Kind("change_in_flight", "Quantity copied seconds from now", change_in_flight),
    Kind("waits_for_stock", "Booked, not released within three days", waits_for_stock),
    Kind("split_in_two", "Two warehouse orders that add up", split_in_two),
    Kind("released_at_once", "Released a minute after it was accepted", released_at_once),
    Kind("cancelled_before_erp", "Cancelled before the ERP saw it", cancelled_before_erp),
    Kind("held_and_checked", "Booked once its credit was checked", held_and_checked),
    Kind(
        "number_in_both",
        "One document number in both ERPs, for two orders",
        number_in_both,
        needs=("north",),
    ),
)
