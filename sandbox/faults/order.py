"""Faults of orders: lost, doubled, changed or cancelled on one side."""

from __future__ import annotations

from sandbox.catalogue import erp_item
from sandbox.clock import HOUR, MINUTE
from sandbox.faults.kind import Kind, correction_of
from sandbox.scene import OLD, RECENT, Scene, keys_of
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


def price_differs(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    accepted = scene.write.booked(order, placed)
    line = scene.rng.choice(order.lines)
    old, new = line["price"], line["price"] + scene.rng.randrange(15, 200, 5)
    at = accepted + scene.rng.uniform(45 * MINUTE, 4 * HOUR)
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
    return Truth(
        kind="O5",
        systems=["oms", "erp"],
        keys=keys_of(order) | {"line": line["line"]},
        since=accepted.seen["erp"],
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


KINDS = (
    Kind("O1", "Accepted in the OMS, never reached the ERP", missing_in_erp),
    Kind("O2", "The ERP booked the order twice", duplicate_order),
    Kind(
        "O4",
        "Line cancelled in the OMS before release, not in the ERP",
        cancelled_in_oms_only,
        undated=True,
    ),
    Kind("O5", "The ERP changed a price, the OMS kept the old one", price_differs, undated=True),
    Kind("O5Q", "The ERP booked another quantity than ordered", quantity_differs, undated=True),
)
