"""Faults of invoices, payments and credits."""

from __future__ import annotations

from sandbox.clock import HOUR, MINUTE
from sandbox.faults.kind import Kind, correction_of, erp_lines
from sandbox.scene import OLD, RECENT, Scene, keys_of
from sandbox.truth import Truth
from sandbox.views.oms import order_id


def not_invoiced(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    order.events.remove(order.find("invoiced"))
    parcel = order.shipments[0]
    return Truth(
        kind="F1",
        systems=["wms", "erp"],
        keys=keys_of(order, parcel),
        since=order.find("shipped").seen["wms"],
        expected=[("F01", name) for name in order.objects()],
        values={"wms": "shipped", "erp": "fulfilled, not invoiced", "real": "shipped"},
        correction=correction_of(
            "erp",
            "create_invoice",
            order_record=order.doc_no,
            document=parcel.shipment,
            lines=erp_lines(parcel.lines),
        ),
        after={"erp": {"invoices": {"ship_ref": parcel.shipment, "stat": "P"}}},
    )


def invoiced_not_shipped(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    released = scene.write.released(order, placed, pace=0.2)
    at = released + scene.rng.uniform(20 * MINUTE, 2 * HOUR)
    ghost, invoice = scene.numbers.next("shipment"), scene.numbers.next("invoice")
    scene.write.add(
        order, at, "invoiced", {"erp": at}, invoice=invoice, shipment=ghost, lines=order.lines
    )
    return Truth(
        kind="F2",
        systems=["erp", "wms"],
        keys=keys_of(order) | {"invoice": invoice, "shipment": ghost},
        since=at,
        expected=[("F02", name) for name in order.objects()],
        values={"erp": "invoiced", "wms": "order is new", "real": "not shipped"},
        correction=correction_of("erp", "void_invoice", approval=True, invoice_record=invoice),
        after={"erp": {"invoices": {"inv_no": invoice, "stat": "V"}}},
    )


def invoiced_twice(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    first = order.find("invoiced")
    at = first.at + scene.rng.uniform(5 * MINUTE, 20 * HOUR)
    twin = scene.numbers.next("invoice")
    data = {key: first.data[key] for key in ("shipment", "lines")}
    scene.write.add(order, at, "invoiced", {"erp": at}, **data, invoice=twin)
    return Truth(
        kind="F3",
        systems=["erp"],
        keys=keys_of(order, order.shipments[0])
        | {"invoice": order.shipments[0].invoice, "duplicate_invoice": twin},
        since=at,
        expected=[("F03", twin), *(("F02Q", name) for name in order.objects())],
        values={"erp": [first.data["invoice"], twin], "real": [first.data["invoice"]]},
        correction=correction_of("erp", "void_invoice", approval=True, invoice_record=twin),
        after={"erp": {"invoices": {"inv_no": twin, "stat": "V"}}},
    )


def replacement_as_order(scene: Scene) -> Truth:
    """What replaces an order is entered under the customer's old number, and billed once more."""
    one, placed = scene.order(OLD)
    other, placed_too = scene.order(OLD, like=one)
    other.po = one.po
    (at_first, first), (at_second, second) = sorted(
        [(placed, one), (placed_too, other)], key=lambda row: row[0]
    )
    scene.write.delivered(first, at_first)
    scene.write.delivered(second, at_second + MINUTE)
    return Truth(
        kind="F7",
        systems=["oms", "erp"],
        keys=keys_of(second, second.shipments[0])
        | {"order_record": order_id(second.order), "first_shipment": first.shipments[0].shipment},
        since=second.find("order_placed").seen["oms"],
        expected=[("O03N", order_id(second.order))],
        values={
            "oms": [first.order, second.order],
            "erp": "both billed",
            "real": "the second replaces the first",
            "field": "customer_po",
        },
    )


KINDS = (
    Kind("F1", "Shipped and fulfilled, not invoiced", not_invoiced),
    Kind("F2", "Invoiced, never shipped", invoiced_not_shipped),
    Kind("F3", "The same parcel invoiced twice", invoiced_twice),
    Kind("F7", "A replacement taken for a new order, and billed", replacement_as_order),
)
