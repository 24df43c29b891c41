"""The kinds of decoys: what looks wrong and is not. One entry of DECOYS a kind."""

from __future__ import annotations

from typing import Any

from sandbox.catalogue import erp_item
from sandbox.clock import DAY, HOUR, MINUTE
from sandbox.faults import Kind
from sandbox.orders import Order
from sandbox.scene import OLD, RECENT, Scene, keys_of
from sandbox.truth import Truth
from sandbox.views.oms import money

YEAR_2031 = 1_925_000_000.0
"""A moment in January 2031."""


def _decoy(kind: str, systems: list[str], keys: dict[str, Any], since: float, why: str) -> Truth:
    return Truth(kind, systems, keys, since, values={"why": why}, decoy=True)


def shipped_just_now(scene: Scene) -> Truth:
    order, _ = scene.order(RECENT)
    write = scene.write
    shipped = scene.now - scene.rng.uniform(6 * MINUTE, 10 * MINUTE)
    packed = shipped - 5 * MINUTE
    # The least that every step takes is the placed order's age, with pace 0.
    placed = packed - 71 * MINUTE
    write.packed(order, placed, pace=0.0)
    write.ship(order, packed, pace=0.0)
    event = order.find("shipped")
    live = scene.live()
    event.seen |= {"erp": live, "oms": event.seen["wms"] + MINUTE}
    write.invoice(order, shipped)
    invoiced = order.find("invoiced")
    invoiced.at, invoiced.seen = live + 0.5, {"erp": live + 0.5}
    zone = "America/New_York"
    write.scan(order, shipped - 3 * MINUTE, "OC", zone, reported=shipped - 2 * MINUTE)
    write.scan(order, shipped + 2 * MINUTE, "PU", zone, reported=shipped + 3 * MINUTE)
    return _decoy(
        "fresh_shipment",
        ["wms", "erp"],
        keys_of(order, order.shipments[0]),
        event.seen["wms"],
        "the ERP posts within its grace period",
    )


def cancelled_after_shipping(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    write = scene.write
    at = write.ship(order, write.packed(order, placed))
    write.invoice(order, at)
    departed = write.carry(order, at, until="DP")
    cancelled = write.cancel(order, departed + 2 * HOUR, systems=("oms",))
    write.scan(order, cancelled + 5 * HOUR, "EX", "America/Chicago", reason="RETURN TO SENDER")
    return _decoy(
        "cancelled_after_shipping",
        ["oms", "erp"],
        keys_of(order, order.shipments[0]),
        cancelled,
        "what has shipped comes back as a return; nothing to cancel in the ERP",
    )


def two_parcels_one_line(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    write = scene.write
    order.lines[0] |= {"uom": "EA", "pack": 1, "qty": max(6, order.lines[0]["qty"])}
    total = order.lines[0]["qty"]
    rest = {**order.lines[0], "qty": total // 2}
    first = [{**order.lines[0], "qty": total - total // 2, "last": False}]
    first += [{**line, "last": True} for line in order.lines[1:]]
    packed = write.packed(order, placed)
    at_first = write.ship(order, packed, pace=0.2, lines=first, last=False)
    at_second = write.ship(order, at_first + 12 * HOUR, lines=[rest])
    write.invoice(order, at_first, parcel=0)
    write.invoice(order, at_second, parcel=1)
    delivered = write.carry(order, at_second, parcel=1)
    write.carry(order, at_first, pace=0.3, parcel=0, delivered=delivered - 2 * MINUTE)
    return _decoy(
        "two_parcels_one_line",
        ["wms", "erp", "carrier"],
        keys_of(order, order.shipments[0]) | {"second_shipment": order.shipments[1].shipment},
        at_first,
        "two partial shipments of one line, both posted and billed",
    )


def cases_against_eaches(scene: Scene) -> Truth:
    order, placed = scene.order(OLD, in_cases=True)
    at = scene.write.delivered(order, placed)
    return _decoy(
        "cases_against_eaches",
        ["wms", "erp"],
        keys_of(order, order.shipments[0]),
        at,
        "the WMS counts cases, the ERP eaches; the quantities are equal",
    )


def document_resent(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    at = scene.write.delivered(order, placed)
    parcel = order.shipments[0]
    again = at + scene.rng.uniform(HOUR, 10 * HOUR)
    scene.write.add(order, again, "shipment_resent", {"wms": again}, shipment=parcel.shipment)
    return _decoy(
        "document_resent", ["wms"], keys_of(order, parcel), again, "the same document once more"
    )


def order_repeated(scene: Scene) -> Truth:
    first, placed = scene.order(OLD)
    scene.write.delivered(first, placed)
    second, placed = scene.order(OLD, like=first)
    scene.write.delivered(second, placed)
    return _decoy(
        "order_repeated",
        ["oms", "erp"],
        keys_of(second, second.shipments[0]) | {"first_order_number": first.order},
        placed,
        "the customer ordered the same again, under another purchase order number",
    )


def invoice_reissued(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    first = order.find("invoiced")
    voided = first.at + scene.rng.uniform(HOUR, 6 * HOUR)
    header = {"invoice": first.data["invoice"]}
    scene.write.add(order, voided, "invoice_voided", {"erp": voided}, **header)
    again, number = voided + 20 * MINUTE, scene.numbers.next("invoice")
    data = {key: first.data[key] for key in ("shipment", "lines")}
    scene.write.add(order, again, "invoiced", {"erp": again}, **data, invoice=number)
    return _decoy(
        "invoice_reissued",
        ["erp"],
        keys_of(order, order.shipments[0]) | {"invoice": number, "voided": header["invoice"]},
        again,
        "the first invoice was voided before the second was posted",
    )


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
    return _decoy(
        "adjustment_in_flight",
        ["wms", "erp"],
        {"ref": ref, "gtin": item.gtin, "location": location, "item_no": erp_item(item.number)},
        at,
        "the ERP posts within its grace period",
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
    return _decoy(
        "price_in_flight",
        ["erp", "oms"],
        keys_of(order) | {"line": line["line"], "unit_price": money(new)},
        at,
        "the OMS copies the price within its grace period",
    )


def fulfilment_reposted(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    shipped = order.find("shipped")
    parcel = order.shipments[0]
    first = shipped.seen["wms"] + 2 * MINUTE
    shipped.seen["erp"] = first
    reversed_at, again = first + 3 * MINUTE, first + 6 * MINUTE
    scene.write.add(
        order,
        reversed_at,
        "fulfilment_reversed",
        {"erp": reversed_at},
        fulfilment=parcel.fulfilment,
        reason="posted to the wrong period",
    )
    number = scene.numbers.next("fulfilment")
    data = {key: value for key, value in shipped.data.items() if key not in order.header}
    data["fulfilment"] = number
    scene.write.add(order, again, "shipped", {"erp": again}, **data)
    return _decoy(
        "fulfilment_reposted",
        ["erp"],
        keys_of(order, parcel) | {"fulfilment": number, "reversed": parcel.fulfilment},
        again,
        "the first fulfilment was reversed before the second was posted",
    )


def cent_rounding(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    invoiced = order.find("invoiced")
    invoiced.data["cents_off"] = scene.rng.choice((-1, 1))
    return _decoy(
        "cent_rounding",
        ["erp"],
        keys_of(order, order.shipments[0]) | {"invoice": invoiced.data["invoice"]},
        invoiced.at,
        "the invoice's total is a cent off the sum of its lines",
    )


def cancelled_before_erp(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    accepted = scene.write.booked(order, placed)
    del order.find("order_accepted").seen["erp"]
    scene.write.cancel(order, accepted + 6 * MINUTE, systems=("oms",))
    return _decoy(
        "cancelled_before_erp",
        ["oms", "erp"],
        {"order_number": order.order},
        accepted,
        "cancelled minutes after it was accepted, so the ERP never got it",
    )


def exception_then_delivered(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    out, delivery = order.all("parcel_scanned")[-2:]
    between = out.at + (delivery.at - out.at) / 2
    scene.write.scan(order, between, "EX", delivery.data["zone"], reason="NOBODY HOME")
    return _decoy(
        "exception_then_delivered",
        ["carrier"],
        keys_of(order, order.shipments[0]),
        between,
        "the second attempt succeeded",
    )


def scans_out_of_order(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    pickup, departed = order.all("parcel_scanned")[1:3]
    arrived, out = order.all("parcel_scanned")[3:5]
    pickup.seen["carrier"] = departed.seen["carrier"] + MINUTE
    arrived.seen["carrier"] = out.seen["carrier"] + MINUTE
    return _decoy(
        "scans_out_of_order",
        ["carrier"],
        keys_of(order, order.shipments[0]),
        arrived.at,
        "scans were reported in another order than they were made",
    )


def future_ship_date(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    _whole_life_until_pickup(scene, order, placed)
    shipped = order.find("shipped")
    shipped.told["wms"] = {"shipped_at": YEAR_2031}
    parcel = order.shipments[0]
    live = scene.live()
    scene.write.add(
        order,
        live,
        "shipment_redated",
        {"wms": live},
        shipment=parcel.shipment,
        shipped_at=shipped.seen["wms"],
    )
    return _decoy(
        "C4",
        ["wms", "erp"],
        keys_of(order, parcel),
        shipped.seen["wms"],
        "the WMS wrote the year 2031 and sends the right date soon; the parcel did leave",
    )


def _whole_life_until_pickup(scene: Scene, order: Order, placed: float) -> None:
    """Shipped, posted, billed and picked up within the hours since ``placed``."""
    write = scene.write
    pace = min(0.3, (scene.now - placed - 4 * HOUR) / DAY / 2)
    at = write.ship(order, write.packed(order, placed, pace), pace)
    write.invoice(order, at, pace)
    write.carry(order, at, pace, until="PU")


DECOYS = (
    Kind("C4", "Ship date in 2031, corrected soon", future_ship_date),
    Kind("fresh_shipment", "Shipped minutes ago, posted seconds from now", shipped_just_now),
    Kind(
        "cancelled_after_shipping",
        "Cancelled in the OMS after it had shipped",
        cancelled_after_shipping,
    ),
    Kind("two_parcels_one_line", "Two partial shipments of one line", two_parcels_one_line),
    Kind("cases_against_eaches", "Cases in the WMS, eaches in the ERP", cases_against_eaches),
    Kind("document_resent", "The same shipment twice in the feed", document_resent),
    Kind("order_repeated", "The same lines under another purchase order", order_repeated),
    Kind("invoice_reissued", "Invoice voided and issued again", invoice_reissued),
    Kind("adjustment_in_flight", "Adjustment posted seconds from now", adjustment_in_flight),
    Kind("price_in_flight", "Price copied seconds from now", price_in_flight),
    Kind("fulfilment_reposted", "Fulfilment reversed and posted again", fulfilment_reposted),
    Kind("cent_rounding", "Invoice total a cent off", cent_rounding),
    Kind("cancelled_before_erp", "Cancelled before the ERP saw it", cancelled_before_erp),
    Kind("exception_then_delivered", "Delivered at the second attempt", exception_then_delivered),
    Kind("scans_out_of_order", "Scans reported out of order", scans_out_of_order),
)
