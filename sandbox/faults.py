"""The kinds of faults: what goes wrong, and the truth about it. One entry of FAULTS a kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.catalogue import ERP_WAREHOUSE, erp_item, wms_sku
from sandbox.clock import DAY, HOUR, MINUTE, iso_utc
from sandbox.orders import Line, Order
from sandbox.scene import OLD, RECENT, Scene, keys_of
from sandbox.truth import Truth
from sandbox.views.oms import money, order_id

Stage = Callable[[Scene], Truth]


@dataclass(frozen=True)
class Kind:
    """One kind of fault or decoy. ``stage`` puts one more of it on a scene and tells the truth.

    ``undated``: nothing in it carries a date of its own, only the last change does. So one that is
    injected later begins at its injection and falls due a grace period after it.
    """

    name: str
    title: str
    stage: Stage
    undated: bool = False


def _erp_lines(lines: list[Line]) -> list[dict[str, str]]:
    return [{"line_record": str(line["line"] * 10), "quantity": str(line["qty"])} for line in lines]


def _correction(system: str, kind: str, approval: bool = False, **payload: Any) -> dict[str, Any]:
    return {"system": system, "kind": kind, "needs_approval": approval, "payload": payload}


def _whole_in_eaches(order: Order) -> None:
    """Make the first line one of several eaches, so that a part of it can go astray."""
    order.lines[0] |= {"uom": "EA", "pack": 1, "qty": max(4, order.lines[0]["qty"])}


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
        correction=_correction(
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
        correction=_correction("erp", "cancel_order", approval=True, order_record=twin),
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
        correction=_correction(
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
        correction=_correction(
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
        correction=_correction(
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


def release_lost(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    scene.write.released(order, placed, pace=0.2)
    released = order.find("order_released")
    del released.seen["wms"]
    return Truth(
        kind="T1",
        systems=["erp", "wms"],
        keys=keys_of(order),
        since=released.seen["erp"],
        expected=[("O06", name) for name in order.objects()],
        values={"erp": "released", "wms": "absent", "real": "released"},
        correction=_correction(
            "wms",
            "create_warehouse_order",
            host_order=order.doc_no,
            location=order.location,
            lines=[
                {
                    "host_line": str(line["line"] * 10),
                    "target_item": wms_sku(line["item"]),
                    "quantity": str(line["qty"]),
                    "uom": "EA",
                }
                for line in order.lines
            ],
        ),
        after={"wms": {"orders": {"HostOrder": order.doc_no, "Status": "NEW"}}},
    )


def shipped_not_posted(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    shipped = order.find("shipped")
    del shipped.seen["erp"]
    order.events.remove(order.find("invoiced"))
    parcel = order.shipments[0]
    fulfil = _correction(
        "erp",
        "create_fulfilment",
        order_record=order.doc_no,
        document=parcel.shipment,
        location=order.location,
        target_location=ERP_WAREHOUSE[order.location],
        lines=_erp_lines(parcel.lines),
    )
    fulfil["followed_by"] = _correction(
        "erp",
        "create_invoice",
        order_record=order.doc_no,
        document=parcel.shipment,
        lines=_erp_lines(parcel.lines),
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
        correction=_correction(
            "erp", "reverse_fulfilment", approval=True, fulfilment_record=parcel.fulfilment
        ),
        after={"erp": {"fulfilments": {"ful_no": parcel.fulfilment, "stat": "R"}}},
    )


def short_shipped(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    _whole_in_eaches(order)
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
        correction=_correction(
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
    correction = _correction(
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
        correction=_correction(
            "erp",
            "create_invoice",
            order_record=order.doc_no,
            document=parcel.shipment,
            lines=_erp_lines(parcel.lines),
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
        correction=_correction("erp", "void_invoice", approval=True, invoice_record=invoice),
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
        correction=_correction("erp", "void_invoice", approval=True, invoice_record=twin),
        after={"erp": {"invoices": {"inv_no": twin, "stat": "V"}}},
    )


def movement_unposted(scene: Scene) -> Truth:
    item, location = scene.free_position()
    ref = scene.numbers.next("adjustment")
    at = scene.now - scene.rng.uniform(4 * HOUR, 20 * DAY)
    qty = scene.rng.choice((-4, -3, -2, 2, 3))
    scene.add(
        at,
        "stock_adjusted",
        ref,
        {"wms": at},
        ref=ref,
        item=item.number,
        location=location,
        qty=qty,
        reason="CC",
    )
    return Truth(
        kind="I1",
        systems=["wms", "erp"],
        keys={"ref": ref, "gtin": item.gtin, "location": location},
        since=at,
        expected=[("I11", ref)],
        values={"wms": str(qty), "erp": "absent", "real": str(qty)},
        correction=_correction(
            "erp",
            "post_movement",
            target_item=erp_item(item.number),
            target_location=ERP_WAREHOUSE[location],
            movement_type="701",
            quantity=str(qty),
            document=ref,
            reason="CC",
        ),
        after={"erp": {"stock_movements": {"ref": ref, "qty": f"{qty}.000"}}},
    )


def movement_posted_twice(scene: Scene) -> Truth:
    item, location = scene.free_position()
    ref = scene.numbers.next("receipt")
    at = scene.now - scene.rng.uniform(6 * HOUR, 20 * DAY)
    qty = item.case_pack * scene.rng.randrange(1, 6)
    erp = at + 4 * MINUTE
    again = erp + scene.rng.uniform(5.0, 40 * MINUTE)
    data: dict[str, Any] = {
        "ref": ref,
        "item": item.number,
        "location": location,
        "qty": qty,
    }
    scene.add(at, "stock_received", ref, {"wms": at, "erp": erp}, **data)
    scene.add(at, "stock_received", ref, {"erp": again}, **data)
    return Truth(
        kind="I2",
        systems=["erp", "wms"],
        keys={"ref": ref, "gtin": item.gtin, "location": location},
        since=again,
        expected=[("I12", ref)],
        values={"wms": [str(qty)], "erp": [str(qty), str(qty)], "real": [str(qty)]},
        correction=_correction(
            "erp",
            "post_movement",
            target_item=erp_item(item.number),
            target_location=ERP_WAREHOUSE[location],
            movement_type="101",
            quantity=str(-qty),
            document=ref,
        ),
        after={"erp": {"stock_movements": {"ref": ref, "sum": f"{qty}.000"}}},
    )


def balance_drifted(scene: Scene) -> Truth:
    item, location = scene.free_position()
    qty = scene.rng.choice((-9, -7, -5, 5, 7, 11))
    at = scene.now - scene.rng.uniform(4 * HOUR, 10 * DAY)
    scene.add(
        at,
        "stock_drifted",
        f"{item.gtin}@{location}",
        {"erp": at},
        item=item.number,
        location=location,
        qty=qty,
    )
    return Truth(
        kind="I3",
        systems=["wms", "erp"],
        keys={
            "gtin": item.gtin,
            "location": location,
            "item_no": erp_item(item.number),
            "sku": wms_sku(item.number),
        },
        since=at,
        expected=[("I01", f"{item.gtin}@{location}")],
        values={"erp_minus_wms": str(qty), "real": "the warehouse's figure"},
        correction=_correction(
            "erp",
            "adjust_stock",
            target_item=erp_item(item.number),
            target_location=ERP_WAREHOUSE[location],
            quantity_delta=str(-qty),
        ),
        after={
            "erp": {
                "stock": {
                    "item_no": erp_item(item.number),
                    "whs": ERP_WAREHOUSE[location],
                    "qoh": "equals WMS OnHand",
                }
            }
        },
    )


def pack_differs(scene: Scene) -> Truth:
    item = scene.free_item()
    wrong = item.case_pack + scene.rng.choice((-2, 2, 4))
    at = scene.now - scene.rng.uniform(4 * HOUR, 20 * DAY)
    scene.add(at, "item_repacked", item.gtin, {"wms": at}, item=item.number, case_pack=wrong)
    return Truth(
        kind="M6",
        systems=["wms", "erp"],
        keys={"gtin": item.gtin, "sku": wms_sku(item.number)},
        since=at,
        expected=[("M02", item.gtin)],
        values={"wms": wrong, "erp": item.case_pack, "real": item.case_pack, "field": "case_pack"},
        correction=_correction(
            "wms",
            "set_pack",
            target_item=wms_sku(item.number),
            pack_quantity=str(item.case_pack),
            old_pack_quantity=str(wrong),
        ),
        after={"wms": {"items": {"Sku": wms_sku(item.number), "CasePack": item.case_pack}}},
    )


def unknown_scan_code(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    arrival = order.all("parcel_scanned")[-3]
    scene.write.scan(order, arrival.at + 5 * MINUTE, "ZZ", arrival.data["zone"])
    return Truth(
        kind="S4",
        systems=["carrier"],
        keys=keys_of(order, order.shipments[0]),
        since=arrival.at,
        expected=[("D03", "carrier.tracking_events.code=ZZ")],
        values={"carrier": "ZZ", "real": "in transit"},
    )


FAULTS = (
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
    Kind("T1", "Released in the ERP, never reached the WMS", release_lost),
    Kind("H2", "Shipped, neither fulfilled nor invoiced in the ERP", shipped_not_posted),
    Kind("H3", "Fulfilled in the ERP, never shipped", posted_not_shipped),
    Kind("H5", "Shipped less than the ERP fulfilled", short_shipped, undated=True),
    Kind("H7", "Shipped, never scanned by the carrier", never_scanned),
    Kind("H9", "Delivered, the OMS was never told", delivery_not_told),
    Kind("F1", "Shipped and fulfilled, not invoiced", not_invoiced),
    Kind("F2", "Invoiced, never shipped", invoiced_not_shipped),
    Kind("F3", "The same parcel invoiced twice", invoiced_twice),
    Kind("I1", "Stock adjustment never posted in the ERP", movement_unposted),
    Kind("I2", "Goods receipt posted twice in the ERP", movement_posted_twice),
    Kind("I3", "ERP quantity on hand changed without a movement", balance_drifted, undated=True),
    Kind("M6", "Case pack in the WMS differs from the item master", pack_differs, undated=True),
    Kind("S4", "Carrier scan with an unknown code", unknown_scan_code),
)
