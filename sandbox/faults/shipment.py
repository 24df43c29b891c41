"""Faults of shipments and carriers: what left, what was posted, what was told."""

from __future__ import annotations

from sandbox.catalogue import ERP_WAREHOUSE
from sandbox.clock import iso_utc
from sandbox.faults.kind import Kind, correction_of, erp_lines, whole_in_eaches
from sandbox.scene import OLD, RECENT, Scene, keys_of
from sandbox.truth import Truth
from sandbox.views.oms import order_id


def shipped_not_posted(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    shipped = order.find("shipped")
    del shipped.seen["erp"]
    order.events.remove(order.find("invoiced"))
    parcel = order.shipments[0]
    fulfil = correction_of(
        "erp",
        "create_fulfilment",
        order_record=order.doc_no,
        document=parcel.shipment,
        location=order.location,
        target_location=ERP_WAREHOUSE[order.location],
        lines=erp_lines(parcel.lines),
    )
    fulfil["followed_by"] = correction_of(
        "erp",
        "create_invoice",
        order_record=order.doc_no,
        document=parcel.shipment,
        lines=erp_lines(parcel.lines),
    )
    names = order.objects()
    return Truth(
        kind="H2",
        systems=["wms", "erp"],
        keys=keys_of(order, parcel),
        since=shipped.seen["wms"],
        expected=[("S01", name) for name in names] + [("F01", name) for name in names],
        values={"wms": "shipped", "erp": "neither fulfilled nor invoiced", "real": "shipped"},
        correction=fulfil,
        after={
            "erp": {
                "fulfilments": {"ship_ref": parcel.shipment, "stat": "P"},
                "invoices": {"ship_ref": parcel.shipment, "stat": "P"},
            }
        },
    )


def posted_not_shipped(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    released = scene.write.released(order, placed, pace=0.2)
    scene.write.ship(order, released, pace=0.2)
    phantom = order.find("shipped")
    phantom.seen = {"erp": phantom.at}
    parcel = order.shipments[0]
    return Truth(
        kind="H3",
        systems=["erp", "wms"],
        keys=keys_of(order, parcel) | {"fulfilment": parcel.fulfilment},
        since=phantom.at,
        expected=[("S03", name) for name in order.objects()],
        values={"erp": "fulfilled", "wms": "order is new", "real": "not shipped"},
        correction=correction_of(
            "erp", "reverse_fulfilment", approval=True, fulfilment_record=parcel.fulfilment
        ),
        after={"erp": {"fulfilments": {"ful_no": parcel.fulfilment, "stat": "R"}}},
    )


def short_shipped(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    whole_in_eaches(order)
    ordered = order.lines[0]["qty"]
    sent = ordered - scene.rng.choice((1, 2))
    packed = scene.write.packed(order, placed)
    parcel_lines = [{**order.lines[0], "qty": sent}, *order.lines[1:]]
    at = scene.write.ship(order, packed, lines=parcel_lines)
    shipped = order.find("shipped")
    parcel = order.shipments[0]
    shipped.told["erp"] = {"lines": [{**parcel.lines[0], "qty": ordered}, *parcel.lines[1:]]}
    scene.write.invoice(order, at)
    scene.write.carry(order, at)
    return Truth(
        kind="H5",
        systems=["wms", "erp"],
        keys=keys_of(order, parcel) | {"fulfilment": parcel.fulfilment, "line": 1},
        since=shipped.seen["wms"],
        expected=[("S02", f"{order.order}/1")],
        values={"wms": str(sent), "erp": str(ordered), "real": str(sent), "field": "quantity"},
        correction=correction_of(
            "erp",
            "adjust_fulfilment",
            fulfilment_record=parcel.fulfilment,
            lines=[{"line_record": "10", "quantity": str(sent), "old_quantity": str(ordered)}],
        ),
        after={"erp": {"fulfilments": {"ful_no": parcel.fulfilment, "10": f"{sent}.000"}}},
    )


def never_scanned(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    at = scene.write.ship(order, scene.write.packed(order, placed))
    scene.write.invoice(order, at)
    parcel = order.shipments[0]
    return Truth(
        kind="H7",
        systems=["wms", "carrier"],
        keys=keys_of(order, parcel),
        since=order.find("shipped").seen["wms"],
        expected=[("S04", parcel.tracking)],
        values={"wms": "shipped", "carrier": "never scanned", "real": "left, then unknown"},
    )


def delivery_not_told(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    delivery = order.all("parcel_scanned")[-1]
    del delivery.seen["oms"]
    first = order.lines[0]["line"]
    moment = iso_utc(int(delivery.at))
    correction = correction_of(
        "oms",
        "set_delivered",
        order_record=order_id(order.order),
        line_record=str(first),
        delivered_at=moment,
    )
    correction["each_of_lines"] = [str(line["line"]) for line in order.lines]
    return Truth(
        kind="H9",
        systems=["carrier", "oms"],
        keys=keys_of(order, order.shipments[0]),
        since=delivery.seen["carrier"],
        expected=[("S05", name) for name in order.objects()],
        values={"carrier": "delivered", "oms": "shipped", "real": "delivered " + moment},
        correction=correction,
        after={"oms": {"orders": {"orderNumber": order.order, "status": "DELIVERED"}}},
    )


KINDS = (
    Kind("H2", "Shipped, neither fulfilled nor invoiced in the ERP", shipped_not_posted),
    Kind("H3", "Fulfilled in the ERP, never shipped", posted_not_shipped),
    Kind("H5", "Shipped less than the ERP fulfilled", short_shipped, undated=True),
    Kind("H7", "Shipped, never scanned by the carrier", never_scanned),
    Kind("H9", "Delivered, the OMS was never told", delivery_not_told),
)
