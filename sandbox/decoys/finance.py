"""Decoys of invoices, payments and credits: what looks wrong and is not."""

from __future__ import annotations

from sandbox.clock import HOUR, MINUTE
from sandbox.decoys.decoy import decoy
from sandbox.faults.kind import Kind
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


KINDS = (
    Kind("invoice_reissued", "Invoice voided and issued again", invoice_reissued),
    Kind("F8", "Invoice total a cent off", cent_rounding),
)
