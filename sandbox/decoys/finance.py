"""Decoys of invoices, payments and credits: what looks wrong and is not."""

from __future__ import annotations

from sandbox.clock import DAY, HOUR, MINUTE
from sandbox.decoys.decoy import decoy
from sandbox.faults.kind import Kind, given_back
from sandbox.payments import paid
from sandbox.returns import GOODWILL, authorised, credit_of, credited, received
from sandbox.scene import OLD, Scene, keys_of
from sandbox.truth import Truth


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
    return decoy(
        "invoice_reissued",
        ["erp"],
        keys_of(order, order.shipments[0]) | {"invoice": number, "voided": header["invoice"]},
        again,
        "the first invoice was voided before the second was posted",
    )


def cent_rounding(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    invoiced = order.find("invoiced")
    invoiced.data["cents_off"] = scene.rng.choice((-1, 1))
    return decoy(
        "F8",
        ["erp"],
        keys_of(order, order.shipments[0]) | {"invoice": invoiced.data["invoice"]},
        invoiced.at,
        "the invoice's total is a cent off the sum of its lines",
    )


def credited_late(scene: Scene) -> Truth:
    order, _, back, data = given_back(scene)
    authorised(scene.write, order, back - 8 * HOUR, data)
    received(scene.write, order, back, data)
    memo = credited(scene.write, order, back + scene.rng.uniform(48 * HOUR, 60 * HOUR), data)
    return decoy(
        "credited_late",
        ["wms", "erp"],
        keys_of(order, order.shipments[0]) | {"return": data["return"]},
        memo.seen["erp"],
        "the return was credited days later, in time all the same",
    )


def goodwill(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    shipped = scene.write.delivered(order, placed, pace=0.2)
    line = scene.rng.choice(order.lines)
    data = credit_of(order, line, line["pack"], GOODWILL)
    memo = credited(scene.write, order, shipped + scene.rng.uniform(DAY, 40 * HOUR), data)
    return decoy(
        "goodwill",
        ["erp"],
        keys_of(order, order.shipments[0]) | {"credit": memo.data["credit"]},
        memo.seen["erp"],
        "an allowance that was granted: nothing needs to come back for it",
    )


def paid_in_two(scene: Scene) -> Truth:
    order, placed = scene.order(OLD, line_count=2)
    scene.write.delivered(order, placed)
    first, second = order.shipments[0].lines
    billed = order.find("invoiced").at
    one = paid(scene.write, order, billed + scene.rng.uniform(HOUR, DAY), lines=[first])
    other = paid(scene.write, order, one.at + scene.rng.uniform(HOUR, 20 * HOUR), lines=[second])
    return decoy(
        "paid_in_two",
        ["erp"],
        keys_of(order, order.shipments[0]) | {"payment": other.data["payment"]},
        one.at,
        "the customer paid in two parts within a day",
    )


def bank_charges(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    at = order.find("invoiced").at + scene.rng.uniform(HOUR, DAY)
    payment = paid(scene.write, order, at, cents_off=-scene.rng.randrange(5, 95))
    return decoy(
        "bank_charges",
        ["erp"],
        keys_of(order, order.shipments[0]) | {"payment": payment.data["payment"]},
        at,
        "the bank kept less than a dollar of the payment",
    )


def replacement_told(scene: Scene) -> Truth:
    one, placed = scene.order(OLD)
    other, placed_too = scene.order(OLD, like=one)
    other.po = one.po
    (at_first, first), (at_second, second) = sorted(
        [(placed, one), (placed_too, other)], key=lambda row: row[0]
    )
    scene.write.delivered(first, at_first)
    for line in second.lines:
        line |= {"price": 0, "replaces": f"{first.order}/{line['line']}"}
    scene.write.delivered(second, at_second + MINUTE)
    return decoy(
        "replacement_told",
        ["oms", "erp"],
        keys_of(second, second.shipments[0]) | {"first_order_number": first.order},
        second.find("order_placed").seen["oms"],
        "the OMS says what the order replaces, and it is billed at nothing",
    )


KINDS = (
    Kind("invoice_reissued", "Invoice voided and issued again", invoice_reissued),
    Kind("credited_late", "Return credited late, in time", credited_late, needs=("returns",)),
    Kind("goodwill", "Credit as an allowance", goodwill, needs=("returns",)),
    Kind("paid_in_two", "Paid in two parts", paid_in_two, needs=("payments",)),
    Kind("bank_charges", "Paid less the bank's charges", bank_charges, needs=("payments",)),
    Kind("F8", "Invoice total a cent off", cent_rounding),
    Kind("replacement_told", "Replacement entered as what it is", replacement_told),
)
