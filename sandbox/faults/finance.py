"""Faults of invoices, payments and credits."""

from __future__ import annotations

from sandbox.catalogue import ERP_WAREHOUSE, erp_item
from sandbox.clock import DAY, HOUR, MINUTE, iso_utc
from sandbox.faults.kind import Kind, correction_of, erp_lines, given_back
from sandbox.orders import Order
from sandbox.payments import paid
from sandbox.returns import REASONS, authorised, credit_of, credited, received
from sandbox.scene import OLD, RECENT, Scene, keys_of
from sandbox.simulation.periods import last_closed_day
from sandbox.truth import Truth
from sandbox.views.oms import order_id


def not_invoiced(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    return unbilled(order)


def unbilled(order: Order) -> Truth:
    """A delivered order, whose parcel was never invoiced."""
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


def payment_entered_twice(scene: Scene) -> Truth:
    """The customer paid once; what the bank told of it was entered a second time."""
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    once = paid(scene.write, order, order.find("invoiced").at + HOUR)
    again = paid(scene.write, order, once.at + scene.rng.uniform(5 * MINUTE, 10 * HOUR))
    again.data["bank_ref"] = once.data["bank_ref"]
    numbers = [payment.data["payment"] for payment in (once, again)]
    return Truth(
        kind="F3",
        systems=["erp"],
        keys=keys_of(order, order.shipments[0])
        | {"payment": numbers[0], "duplicate_payment": numbers[1]},
        since=again.at,
        expected=[("F03P", numbers[1]), ("F04P", order.objects()[0])],
        values={"erp": numbers, "real": numbers[:1], "field": "bank_ref"},
    )


def posted_to_closed_period(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    scene.write.delivered(order, placed, pace=0.05)
    invoiced = order.find("invoiced")
    day = last_closed_day(invoiced.at)
    invoiced.data["dated"] = day.isoformat()
    return Truth(
        kind="F4",
        systems=["erp"],
        keys=keys_of(order, order.shipments[0]) | {"invoice": invoiced.data["invoice"]},
        since=invoiced.at,
        expected=[("F06", name) for name in order.objects()],
        values={
            "erp": f"dated {day}",
            "real": f"billed on {iso_utc(invoiced.at)}",
            "period": f"{day:%Y-%m}, closed",
            "field": "inv_date",
        },
    )


def returned_not_credited(scene: Scene) -> Truth:
    """The goods are back in the warehouse, and the ERP never hears of it."""
    order, line, back, data = given_back(scene)
    authorised(scene.write, order, back - 8 * HOUR, data)
    arrived = received(scene.write, order, back, data)
    del arrived.seen["erp"]
    return Truth(
        kind="F5",
        systems=["wms", "erp"],
        keys=keys_of(order, order.shipments[0]) | {"return": data["return"]},
        since=arrived.seen["wms"],
        expected=[
            ("F05A", f"{order.order}/{line['line']}"),
            ("F05R", data["return"]),
        ],
        values={"wms": "returned", "erp": "neither in stock nor credited", "real": "returned"},
        correction=correction_of(
            "erp",
            "create_credit",
            approval=True,
            order_record=order.doc_no,
            document=data["return"],
            lines=erp_lines(data["lines"]),
        )
        | {
            "followed_by": correction_of(
                "erp",
                "post_movement",
                target_item=erp_item(line["item"]),
                target_location=ERP_WAREHOUSE[data["location"]],
                movement_type="653",
                quantity=str(data["lines"][0]["qty"]),
                document=data["return"],
            )
        },
        after={"erp": {"settlements": {"rma_no": data["return"], "stat": "P"}}},
    )


def credited_not_returned(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    shipped = scene.write.delivered(order, placed, pace=0.2)
    line = scene.rng.choice(order.lines)
    data = credit_of(order, line, line["qty"], scene.rng.choice(REASONS))
    memo = credited(scene.write, order, shipped + scene.rng.uniform(DAY, 36 * HOUR), data)
    return Truth(
        kind="F6",
        systems=["erp", "wms"],
        keys=keys_of(order, order.shipments[0]) | {"credit": memo.data["credit"]},
        since=memo.seen["erp"],
        expected=[("F05B", f"{order.order}/{line['line']}")],
        values={"erp": "credited as a return", "wms": "nothing came back", "real": "not returned"},
    )


def replacement_as_order(scene: Scene) -> Truth:
    """What replaces an order is entered under the customer's old number, and billed once more."""
    one, placed = scene.order(OLD)
    other, placed_too = scene.order(OLD, like=one)
    other.po = one.po
    (at_first, first), (at_second, second) = sorted(
        [(placed, one), (placed_too, other)], key=lambda row: row[0]
    )
    # Within the days after which goods that did not come are sent again.
    at_second = min(at_second, at_first + 5 * DAY)
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
    Kind("F3P", "The same payment entered twice", payment_entered_twice, needs=("payments",)),
    Kind("F4", "Posted to a closed period", posted_to_closed_period, needs=("periods",)),
    Kind("F5", "Returned, the ERP never hears of it", returned_not_credited, needs=("returns",)),
    Kind("F6", "Credited as a return that never came", credited_not_returned, needs=("returns",)),
    Kind("F7", "A replacement taken for a new order, and billed", replacement_as_order),
)
