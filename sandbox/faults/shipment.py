"""Faults of shipments and carriers: what left, what was posted, what was told."""

from __future__ import annotations

from sandbox.catalogue import ERP_WAREHOUSE, erp_item, oms_sku, wms_sku
from sandbox.clock import DAY, HOUR, MINUTE, iso_utc
from sandbox.faults.kind import Kind, correction_of, delayed, erp_lines, whole_in_eaches
from sandbox.orders import Order
from sandbox.scene import OLD, RECENT, Scene, keys_of
from sandbox.truth import Truth
from sandbox.views.oms import order_id


def shipped_not_posted(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    return unposted(order)


def unposted(order: Order) -> Truth:
    """A delivered order, of whose shipping the ERP knows nothing."""
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


def label_only(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    packed = scene.write.packed(order, placed)
    parcel = scene.write.parcel(order)
    label = scene.write.labelled(order, packed + scene.rng.uniform(5 * MINUTE, HOUR))
    return Truth(
        kind="H1",
        systems=["carrier", "wms"],
        keys=keys_of(order, parcel),
        since=label.seen["carrier"],
        expected=[
            ("S04L", parcel.tracking),
            *(("O09W", line) for line in order.objects()),
        ],
        values={"carrier": "label printed", "wms": "packed", "real": "never left"},
    )


def shipped_twice(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    at = scene.write.delivered(order, placed)
    again = [{**line, "last": False} for line in order.lines]
    twice = scene.write.ship(order, at + scene.rng.uniform(HOUR, DAY), lines=again, last=False)
    scene.write.invoice(order, twice)
    after = max(order.all("parcel_scanned")[-1].at + HOUR, twice + 14 * HOUR)
    scene.write.carry(order, twice, pace=0.2, delivered=after)
    first, second = order.shipments
    return Truth(
        kind="H4",
        systems=["wms", "oms"],
        keys=keys_of(order, second) | {"first_shipment": first.shipment},
        since=order.all("shipped")[1].seen["wms"],
        expected=[("S07", name) for name in order.objects()],
        values={"wms": "shipped twice", "oms": "ordered once", "real": "shipped twice"},
    )


def short_shipped(scene: Scene) -> Truth:
    return _posted_as_ordered(scene, more=-scene.rng.choice((1, 2)))


def over_shipped(scene: Scene) -> Truth:
    truth = _posted_as_ordered(scene, more=scene.rng.choice((1, 2)))
    truth.expected.append(("S07", truth.expected[0][1]))
    # The ERP fulfils no more than was ordered: what becomes of the surplus, people decide.
    truth.correction = truth.after = None
    return truth


def _posted_as_ordered(scene: Scene, more: int) -> Truth:
    """Shipped by ``more`` eaches (less if negative) than the order; posted as ordered."""
    order, placed = scene.order(OLD)
    whole_in_eaches(order)
    ordered = order.lines[0]["qty"]
    sent = ordered + more
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
        after={
            "erp": {"fulfilments": {"ful_no": parcel.fulfilment, "pos": 10, "qty": f"{sent}.000"}}
        },
    )


def wrong_item(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    whole_in_eaches(order)
    other = scene.other_item(order)
    scene.write.delivered(order, placed)
    shipped = order.find("shipped")
    head, *others = shipped.data["lines"]
    shipped.told["wms"] = {"lines": [{**head, "item": other.number}, *others]}
    ordered = order.lines[0]["item"]
    return Truth(
        kind="H6",
        systems=["wms", "oms", "erp"],
        keys=keys_of(order, order.shipments[0]) | {"line": 1},
        since=shipped.seen["wms"],
        expected=[(rule, f"{order.order}/1") for rule in ("S07I", "S01I")],
        values={
            "wms": wms_sku(other.number),
            "oms": oms_sku(ordered),
            "erp": erp_item(ordered),
            "real": other.gtin,
            "field": "item",
        },
    )


def never_scanned(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    at = scene.write.ship(order, scene.write.packed(order, placed))
    scene.write.invoice(order, at)
    return unscanned(order)


def unscanned(order: Order) -> Truth:
    """A shipped order, whose parcel the carrier has never scanned."""
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
    return delivery_kept_back(order)


def delivery_kept_back(order: Order) -> Truth:
    """A delivered order, of whose delivery the OMS knows nothing."""
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


def delay_not_told(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    late, expected = delayed(scene, order, placed)
    del late.seen["oms"]
    return Truth(
        kind="H9",
        systems=["carrier", "oms"],
        keys=keys_of(order, order.shipments[0]),
        since=late.seen["carrier"],
        expected=[(rule, name) for rule in ("S05D", "S09") for name in order.objects()],
        values={
            "carrier": "expected " + iso_utc(expected),
            "oms": "promises days before that",
            "real": "delayed",
        },
    )


def tracking_reused(scene: Scene) -> Truth:
    """Two parcels bear one label: the carrier scans one of them, and both are told delivered."""
    first, placed = scene.order(OLD)
    at = scene.write.delivered(first, placed)
    second, _ = scene.order(OLD, like=first)
    scene.write.packed(second, placed, pace=0.0)
    parcel = scene.write.parcel(second)
    parcel.tracking = first.shipments[0].tracking
    left = at + scene.rng.uniform(5 * MINUTE, 30 * MINUTE)
    shipped = scene.write.left(second, left)
    delivery = first.all("parcel_scanned")[-1]
    scene.write.billed(second, left + HOUR)
    told = scene.write.scan(second, delivery.at, "DL", delivery.data["zone"])
    told.seen = {"oms": delivery.seen["oms"]}
    return Truth(
        kind="H8",
        systems=["wms", "carrier"],
        keys=keys_of(second, parcel) | {"first_shipment": first.shipments[0].shipment},
        since=shipped.seen["wms"],
        expected=[("S06T", parcel.tracking)],
        values={
            "wms": [first.shipments[0].shipment, parcel.shipment],
            "carrier": "delivered once",
            "real": "two parcels with one number",
        },
    )


def delivered_before_shipped(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    write = scene.write
    packed = write.packed(order, placed)
    parcel = write.parcel(order)
    delivered = write.carry(order, packed + 10 * MINUTE)
    shipped = write.left(order, delivered + scene.rng.uniform(3 * HOUR, 8 * HOUR))
    write.invoice(order, shipped.at)
    return Truth(
        kind="H10",
        systems=["wms", "carrier"],
        keys=keys_of(order, parcel),
        since=shipped.seen["wms"],
        expected=[("S06", parcel.tracking)],
        values={
            "carrier": "delivered " + iso_utc(delivered),
            "wms": "shipped " + iso_utc(shipped.at),
            "real": "left before its delivery; confirmed after it",
        },
    )


KINDS = (
    Kind("H1", "Label printed, the parcel never left", label_only),
    Kind("H2", "Shipped, neither fulfilled nor invoiced in the ERP", shipped_not_posted),
    Kind("H3", "Fulfilled in the ERP, never shipped", posted_not_shipped),
    Kind("H4", "The whole order shipped twice", shipped_twice),
    Kind("H5", "Shipped less than the ERP fulfilled", short_shipped, undated=True),
    Kind("H5O", "Shipped more than was ordered and fulfilled", over_shipped, undated=True),
    Kind("H6", "Another item shipped than was ordered", wrong_item),
    Kind("H7", "Shipped, never scanned by the carrier", never_scanned),
    Kind("H8", "One tracking number on two parcels", tracking_reused),
    Kind("H10", "Delivered before the WMS says that it was shipped", delivered_before_shipped),
    Kind("H9", "Delivered, the OMS was never told", delivery_not_told),
    Kind("H9D", "Later than promised, the OMS was never told", delay_not_told),
)
