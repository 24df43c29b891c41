"""Faults of corrections: an ordinary fault, and a target that does not do what it is asked."""

from __future__ import annotations

from typing import Any

from sandbox.catalogue import wms_sku
from sandbox.clock import MINUTE, iso_utc
from sandbox.faults.finance import not_invoiced
from sandbox.faults.inventory import count_unposted
from sandbox.faults.kind import Kind, correction_of
from sandbox.faults.order import price_differs
from sandbox.scene import OLD, Scene, keys_of
from sandbox.truth import Truth
from sandbox.views.oms import order_id


def refused(scene: Scene) -> Truth:
    truth = not_invoiced(scene)
    scene.behave("erp", "refuse", truth.keys["doc_no"], times=None)
    return _not_kept(truth, "X1", "says no to the invoice (422)", ("refused",))


def field_dropped(scene: Scene) -> Truth:
    order, placed = scene.order(OLD, line_count=1)
    scene.write.delivered(order, placed)
    delivery = order.all("parcel_scanned")[-1]
    del delivery.seen["oms"]
    record = order_id(order.order)
    scene.behave(
        "oms", "drop_field", record, times=None, entity="orders", fields={"deliveredAt": None}
    )
    return Truth(
        kind="X2",
        systems=["carrier", "oms"],
        keys=keys_of(order, order.shipments[0]),
        since=delivery.seen["carrier"],
        expected=[(rule, name) for rule in ("S05", "C01") for name in order.objects()],
        values={
            "carrier": "delivered",
            "oms": "shipped",
            "real": "delivered",
            "target": "takes the delivery and leaves its date away",
        },
        # Written in part, so it corrects nothing: what is left of it is the state afterwards.
        attempt=correction_of(
            "oms",
            "set_delivered",
            order_record=record,
            line_record="1",
            delivered_at=iso_utc(int(delivery.at)),
        ),
        after={
            "oms": {
                "orders": {
                    "orderNumber": order.order,
                    "lineNo": 1,
                    "status": "DELIVERED",
                    "deliveredAt": None,
                }
            }
        },
        states=("unproven",),
    )


def applied_twice(scene: Scene) -> Truth:
    truth = count_unposted(scene)
    ref, correction = truth.keys["ref"], truth.correction
    assert correction is not None
    back = str(-int(correction["payload"]["quantity"]))
    again: dict[str, Any] = {"payload": correction["payload"] | {"quantity": back}}
    again["payload"].pop("reason")
    truth.kind = "X3"
    truth.values["target"] = "posts the correction twice"
    # The first correction is seen, and yet its document is not right before the second one.
    truth.expected += [("I12", ref), ("C01", ref)]
    truth.correction = correction | {"followed_by": correction | again}
    assert truth.after is not None
    movement = truth.after["erp"]["stock_movements"]
    truth.after = {"erp": {"stock_movements": [movement, movement | {"qty": f"{back}.000"}]}}
    scene.behave("erp", "apply_twice", ref)
    return truth


def undone_again_and_again(scene: Scene) -> Truth:
    """Another program, for which the WMS and not the item master leads, sets the pack back."""
    item = scene.free_item()
    wrong = item.case_pack + scene.rng.choice((-2, 2, 4))
    # The last one stays.
    for number in range(1, 6):
        at = scene.now + 10 * number * MINUTE
        pack = wrong if number % 2 else item.case_pack
        scene.add(at, "item_repacked", item.gtin, {"wms": at}, item=item.number, case_pack=pack)
    truth = Truth(
        kind="X7",
        systems=["wms", "erp"],
        keys={"gtin": item.gtin, "sku": wms_sku(item.number)},
        since=at,
        expected=[("C02", item.gtin), ("M02", item.gtin)],
        values={
            "wms": f"{item.case_pack} and {wrong} by turns",
            "erp": item.case_pack,
            "real": item.case_pack,
            "field": "case_pack",
        },
        correction=correction_of(
            "wms",
            "set_pack",
            target_item=wms_sku(item.number),
            pack_quantity=str(item.case_pack),
            old_pack_quantity=str(wrong),
        ),
    )
    return _not_kept(truth, "X7", "would be set back once more", ("awaiting_approval",))


def ignored(scene: Scene) -> Truth:
    truth = price_differs(scene)
    assert truth.correction is not None
    record = truth.correction["payload"]["order_record"]
    scene.behave("oms", "ignore", record, times=None, entity="orders")
    truth.expected.append(("C01", truth.expected[0][1]))
    return _not_kept(truth, "X4", "says yes and keeps the old price", ("unproven",))


def edited_meanwhile(scene: Scene) -> Truth:
    truth = price_differs(scene)
    assert truth.correction is not None
    record = truth.correction["payload"]["order_record"]
    data = {"entity": "orders", "record": record, "fields": {}}
    scene.behave("oms", "comes_first", record, event="record_retold", data=data)
    truth.kind = "X5"
    truth.values["target"] = "a user saves the order right before the correction comes"
    return truth


def sender_dies(scene: Scene) -> Truth:
    truth = not_invoiced(scene)
    scene.behave("erp", "sender_dies", truth.keys["doc_no"])
    truth.kind = "X10"
    truth.values["target"] = "applies the correction; who sent it dies before it can note so"
    return truth


def closed_meanwhile(scene: Scene) -> Truth:
    truth = not_invoiced(scene)
    order = scene.orders[-1]
    parcel = order.shipments[0]
    data = {
        **order.header,
        "invoice": parcel.invoice,
        "shipment": parcel.shipment,
        "lines": parcel.lines,
    }
    scene.behave("erp", "comes_first", order.doc_no, event="invoiced", data=data)
    return _not_kept(
        truth,
        "X8",
        "invoices it itself right before the correction comes",
        ("refused", "superseded"),
    )


def breaker_trips(scene: Scene) -> Truth:
    parts = [not_invoiced(scene) for _ in range(3)]
    correction = None
    for part in reversed(parts):
        assert part.correction is not None
        step = part.correction
        correction = step if correction is None else step | {"followed_by": correction}
    # More failures in a row than a dispatcher bears.
    scene.behave("erp", "unavailable", "/api/", times=6)
    return Truth(
        kind="X9",
        systems=["wms", "erp"],
        keys=parts[0].keys | {"others": [part.keys for part in parts[1:]]},
        since=max(part.since for part in parts),
        expected=[key for part in parts for key in part.expected],
        values=parts[0].values | {"target": "takes no changes for a while (503)"},
        correction=correction,
        after={
            "erp": {
                "invoices": [{"ship_ref": part.keys["shipment"], "stat": "P"} for part in parts]
            }
        },
    )


def _not_kept(truth: Truth, kind: str, target: str, states: tuple[str, ...]) -> Truth:
    """The fault whose correction is sent and leaves nothing of its own behind."""
    truth.kind = kind
    truth.values["target"] = target
    truth.attempt, truth.correction, truth.after = truth.correction, None, None
    truth.states = states
    return truth


KINDS = (
    Kind("X1", "Not invoiced, and the ERP refuses the correction", refused, mixed=False),
    Kind("X2", "Delivery not told, and the OMS drops the date", field_dropped, mixed=False),
    Kind(
        "X3",
        "Adjustment not posted, and the ERP posts the correction twice",
        applied_twice,
        takes_free_stock=True,
        mixed=False,
    ),
    Kind(
        "X4",
        "Price differs, and the OMS says yes and ignores it",
        ignored,
        undated=True,
        mixed=False,
    ),
    Kind(
        "X5",
        "Price differs, and a user edits the order meanwhile",
        edited_meanwhile,
        undated=True,
        mixed=False,
    ),
    Kind(
        "X7",
        "Pack set to and fro by two programs that each think they lead",
        undone_again_and_again,
        takes_free_stock=True,
        mixed=False,
    ),
    Kind("X8", "Not invoiced, and the ERP bills it just before us", closed_meanwhile, mixed=False),
    Kind("X10", "Not invoiced, and the sender dies before it notes so", sender_dies, mixed=False),
    Kind("X9", "Three not invoiced, and the ERP is away meanwhile", breaker_trips, mixed=False),
)
