"""Faults of orders: lost, doubled, changed or cancelled on one side."""

from __future__ import annotations

from sandbox.catalogue import erp_item, oms_sku, ship_to, wms_sku
from sandbox.clock import HOUR, MINUTE, iso_utc
from sandbox.faults.kind import (
    Kind,
    correction_of,
    held,
    in_two_warehouse_orders,
    shipped_from_now_on,
    substituted,
    whole_in_eaches,
)
from sandbox.orders import Line, Order
from sandbox.scene import OLD, RECENT, Scene, keys_of, told_once
from sandbox.truth import Truth
from sandbox.views.oms import money, order_id


def missing_in_erp(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    scene.write.booked(order, placed)
    accepted = order.find("order_accepted")
    del accepted.seen["erp"]
    lines = [
        {
            "line_no": line["line"],
            "item": scene.item(line["item"]).gtin,
            "target_item": erp_item(line["item"]),
            "quantity": str(line["qty"]),
            "uom": "EA",
            "unit_price": money(line["price"]),
        }
        for line in order.lines
    ]
    return Truth(
        kind="O1",
        systems=["oms", "erp"],
        keys={"order_number": order.order},
        since=accepted.seen["oms"],
        expected=[("O02", name) for name in order.objects()],
        values={"oms": "accepted", "erp": "absent", "real": "accepted"},
        correction=correction_of(
            "erp",
            "create_order",
            order_number=order.order,
            customer_ref=order.customer,
            customer_po=order.po,
            currency="USD",
            lines=lines,
        ),
        after={"erp": {"sales_orders": {"ext_ref": order.order, "stat": 20}}},
    )


def duplicate_order(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    first = order.find("order_accepted")
    twin = scene.numbers.next("extra_doc")
    recorded = first.seen["erp"] + scene.rng.uniform(10 * MINUTE, 5 * HOUR)
    data = {key: first.data[key] for key in ("customer", "po", "lines")}
    scene.write.add(order, first.at, "order_accepted", {"erp": recorded}, **data, doc_no=twin)
    return Truth(
        kind="O2",
        systems=["erp"],
        keys=keys_of(order) | {"duplicate_doc_no": twin},
        since=recorded,
        expected=[("O03", twin)],
        values={"erp": [order.doc_no, twin], "real": [order.doc_no]},
        correction=correction_of("erp", "cancel_order", approval=True, order_record=twin),
        after={"erp": {"sales_orders": {"doc_no": twin, "stat": 90}}},
    )


def cancelled_in_oms_only(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT, line_count=scene.rng.choice((2, 3)))
    accepted = scene.write.booked(order, placed)
    line = scene.rng.choice(order.lines)["line"]
    at = accepted + scene.rng.uniform(45 * MINUTE, 4 * HOUR)
    scene.write.cancel(order, at, systems=("oms",), lines=[line])
    return Truth(
        kind="O4",
        systems=["oms", "erp"],
        keys=keys_of(order) | {"line": line},
        since=order.find("lines_cancelled").seen["oms"],
        expected=[("O05", f"{order.order}/{line}")],
        values={"oms": "cancelled", "erp": "booked", "real": "cancelled"},
        correction=correction_of(
            "erp", "cancel_line", order_record=order.doc_no, line_record=str(line * 10)
        ),
        after={"erp": {"sales_orders": {"doc_no": order.doc_no, "pos": line * 10, "stat": 90}}},
    )


def cancelled_in_the_race(scene: Scene) -> Truth:
    """The warehouse has it already; of the cancellation nobody but the OMS hears."""
    order = shipped_from_now_on(scene, 50 * MINUTE, line_count=scene.rng.choice((2, 3)))
    line = scene.rng.choice(order.lines)["line"]
    scene.write.cancel(order, scene.now, systems=("oms",), lines=[line])
    return Truth(
        kind="O4",
        systems=["oms", "erp", "wms"],
        keys=keys_of(order, order.shipments[0]) | {"line": line},
        since=order.find("shipped").seen["wms"],
        expected=[(rule, f"{order.order}/{line}") for rule in ("O05S", "O05")],
        values={
            "oms": "cancelled",
            "erp": "shipped and billed",
            "wms": "shipped after it was cancelled",
            "real": "cancelled and shipped: it must come back, and nothing is to be cancelled",
        },
    )


def price_differs(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    accepted = scene.write.booked(order, placed)
    line = scene.rng.choice(order.lines)
    return repriced_in_erp(scene, order, line, accepted + scene.rng.uniform(45 * MINUTE, 4 * HOUR))


def repriced_in_erp(scene: Scene, order: Order, line: Line, at: float) -> Truth:
    """The ERP changes the price of a line, and the OMS is not told."""
    old, new = line["price"], line["price"] + scene.rng.randrange(15, 200, 5)
    repriced = scene.write.add(
        order, at, "line_repriced", {"erp": at}, line=line["line"], price=new
    )
    return Truth(
        kind="O5",
        systems=["oms", "erp"],
        keys=keys_of(order) | {"line": line["line"]},
        since=repriced.seen["erp"],
        expected=[("O04", f"{order.order}/{line['line']}")],
        values={"oms": money(old), "erp": money(new), "real": money(new), "field": "unit_price"},
        correction=correction_of(
            "oms",
            "update_price",
            order_record=order_id(order.order),
            line_record=str(line["line"]),
            unit_price=money(new),
            old_unit_price=money(old),
        ),
        after={
            "oms": {
                "orders": {
                    "orderNumber": order.order,
                    "lineNo": line["line"],
                    "unitPrice": money(new),
                }
            }
        },
    )


def quantity_differs(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    scene.write.booked(order, placed)
    line = scene.rng.choice(order.lines)
    right, wrong = line["qty"], line["qty"] + scene.rng.choice((1, 2, 10))
    accepted = order.find("order_accepted")
    accepted.told["erp"] = {
        "lines": [{**other, "qty": wrong} if other is line else other for other in order.lines]
    }
    return _quantity_wrong_in_erp("O5", order, line, accepted.seen["erp"], right, wrong)


def change_lost(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    accepted = scene.write.booked(order, placed)
    line = scene.rng.choice(order.lines)
    at = accepted + scene.rng.uniform(45 * MINUTE, 4 * HOUR)
    return changed_in_oms(scene, order, line, at)


def changed_in_oms(scene: Scene, order: Order, line: Line, at: float) -> Truth:
    """The customer changes the quantity of a line, and the ERP is not told."""
    old, new = line["qty"], line["qty"] + scene.rng.randrange(1, 6)
    scene.write.add(order, at, "line_quantity_changed", {"oms": at}, line=line["line"], qty=new)
    return _quantity_wrong_in_erp("O9", order, line, at, new, old)


def _quantity_wrong_in_erp(
    kind: str, order: Order, line: Line, since: float, right: int, wrong: int
) -> Truth:
    """The OMS holds the right quantity of a line, the ERP a wrong one."""
    return Truth(
        kind=kind,
        systems=["oms", "erp"],
        keys=keys_of(order) | {"line": line["line"]},
        since=since,
        expected=[("O04", f"{order.order}/{line['line']}")],
        values={"oms": str(right), "erp": str(wrong), "real": str(right), "field": "quantity"},
        correction=correction_of(
            "erp",
            "update_quantity",
            order_record=order.doc_no,
            line_record=str(line["line"] * 10),
            quantity=str(right),
            old_quantity=str(wrong),
        ),
        after={
            "erp": {
                "sales_orders": {
                    "doc_no": order.doc_no,
                    "pos": line["line"] * 10,
                    "ord_qty": f"{right}.000",
                }
            }
        },
    )


def split_short(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    whole_in_eaches(order)
    ordered = order.lines[0]["qty"]
    parts = (ordered // 2, ordered - ordered // 2 - 1)
    in_two_warehouse_orders(scene, order, placed, parts)
    return Truth(
        kind="O3",
        systems=["erp", "wms"],
        keys=keys_of(order, order.shipments[0])
        | {"second_shipment": order.shipments[1].shipment, "line": 1},
        since=order.find("order_released").seen["erp"],
        expected=[("O06Q", f"{order.order}/1")],
        values={
            "erp": str(ordered),
            "wms": [str(part) for part in parts],
            "real": str(ordered),
            "field": "quantity",
        },
    )


def stuck_before_release(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.booked(order, placed)
    return Truth(
        kind="O6",
        systems=["erp"],
        keys=keys_of(order),
        since=order.find("order_accepted").seen["erp"],
        expected=[("O09R", name) for name in order.objects()],
        values={"erp": "booked and never released", "wms": "absent", "real": "forgotten"},
    )


def allocated_before_accepted(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    write = scene.write
    at = write.accept(order, write.place(order, told_once(placed)))
    accepted = order.find("order_accepted")
    accepted.seen["erp"] = at + scene.rng.uniform(22 * MINUTE, 26 * MINUTE)
    released = write.handed_over(order, accepted.seen["erp"] + MINUTE)
    released.seen["wms"] = at + scene.rng.uniform(2 * MINUTE, 6 * MINUTE)
    return Truth(
        kind="O7",
        systems=["wms", "erp"],
        keys=keys_of(order) | {"wms_order": order.wms_order},
        since=accepted.seen["erp"],
        expected=[("O07", name) for name in order.objects()],
        values={
            "wms": "allocated " + iso_utc(released.seen["wms"]),
            "erp": "accepted " + iso_utc(accepted.seen["erp"]),
            "real": "allocated before it was accepted",
        },
    )


def never_reserved(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    scene.write.released(order, placed, pace=0.2)
    accepted = order.find("order_accepted")
    accepted.told["oms"] = {"unanswered": True}
    return Truth(
        kind="O6",
        systems=["oms"],
        keys=keys_of(order),
        since=accepted.seen["oms"],
        expected=[("I04", name) for name in order.objects()],
        values={"oms": "neither reserved nor backordered", "real": "nobody set units aside"},
    )


def other_address(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    scene.write.booked(order, placed)
    return shipped_elsewhere(order)


def shipped_elsewhere(order: Order) -> Truth:
    """A booked order, with another address in the ERP."""
    right = ship_to(order.po)
    accepted = order.find("order_accepted")
    accepted.told["erp"] = {"ship_to": right + 1}
    return Truth(
        kind="O5",
        systems=["oms", "erp"],
        keys=keys_of(order),
        since=accepted.seen["erp"],
        expected=[("O04", f"{order.order}/1")],
        values={"oms": right, "erp": right + 1, "real": right, "field": "ship_to"},
    )


def part_lost(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    whole_in_eaches(order)
    released = scene.write.released(order, placed, pace=0.2)
    lost = scene.rng.randrange(1, order.lines[0]["qty"])
    at = released + scene.rng.uniform(20 * MINUTE, HOUR)
    scene.write.add(order, at, "line_part_lost", {"erp": at}, line=1, qty=lost)
    ordered = order.lines[0]["qty"]
    return Truth(
        kind="O3",
        systems=["erp"],
        keys=keys_of(order) | {"line": 1},
        since=at,
        expected=[("O12", f"{order.order}/1")],
        values={"erp": f"{ordered - lost} of {ordered} accounted for", "real": str(ordered)},
    )


def substitution_not_told(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    told = substituted(scene, order, placed, systems=("oms",))
    return Truth(
        kind="O8",
        systems=["oms", "wms", "erp"],
        keys=keys_of(order, order.shipments[0]) | {"line": 1},
        since=order.find("shipped").seen["wms"],
        expected=[("S01I", f"{order.order}/1")],
        values={
            "oms": oms_sku(told),
            "wms": wms_sku(told),
            "erp": erp_item(order.lines[0]["item"]),
            "real": scene.item(told).gtin,
            "field": "item",
        },
    )


def credit_hold_bypassed(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    entered = held(scene, order, placed)
    at = entered + scene.rng.uniform(30 * MINUTE, 3 * HOUR)
    scene.write.add(order, at, "hold_bypassed", {"erp": at})
    scene.write.release(order, at, pace=0.1)
    return Truth(
        kind="O10",
        systems=["erp"],
        keys=keys_of(order),
        since=at,
        expected=[("O11", name) for name in order.objects()],
        values={"erp": "booked and released", "real": "nobody checked the customer's credit"},
    )


KINDS = (
    Kind("O1", "Accepted in the OMS, never reached the ERP", missing_in_erp),
    Kind("O2", "The ERP booked the order twice", duplicate_order),
    Kind(
        "O4",
        "Line cancelled in the OMS before release, not in the ERP",
        cancelled_in_oms_only,
        undated=True,
    ),
    Kind(
        "O4R",
        "Cancelled in the OMS when the warehouse had it, and shipped",
        cancelled_in_the_race,
        mixed=False,
    ),
    Kind("O5", "The ERP changed a price, the OMS kept the old one", price_differs, undated=True),
    Kind("O3", "Split into two warehouse orders that hold less than the order", split_short),
    Kind("O6", "Booked in the ERP, never released", stuck_before_release),
    Kind("O7", "In the warehouse before the ERP had accepted it", allocated_before_accepted),
    Kind("O8", "A substitution that the ERP was never told", substitution_not_told),
    Kind("O9", "The customer's change of a quantity never reached the ERP", change_lost, True),
    Kind("O5Q", "The ERP booked another quantity than ordered", quantity_differs, undated=True),
    Kind("O6N", "Accepted, neither reserved nor backordered", never_reserved),
    Kind("O5S", "The ERP ships to another address than ordered", other_address, undated=True),
    Kind("O3L", "Split in the ERP into parts that hold less", part_lost, undated=True),
    Kind("O10", "Booked and released over a credit hold", credit_hold_bypassed),
)
