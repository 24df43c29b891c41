"""Faults of formats and codes: what a system suddenly writes otherwise."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox.catalogue import erp_item, oms_sku, wms_sku
from sandbox.clock import HOUR, MINUTE, iso_utc, local_naive
from sandbox.faults.kind import DISTURBED_HOURS, Kind, correction_of, disturbed_feed, retold
from sandbox.scene import OLD, RECENT, Scene, keys_of
from sandbox.truth import Truth
from sandbox.views.erp import price
from sandbox.views.oms import order_id


def column_added(scene: Scene) -> Truth:
    return disturbed_feed(
        scene, "S1", "oms", "products", "added_column", ("D03",), "every product has a new field"
    )


def column_renamed(scene: Scene) -> Truth:
    return disturbed_feed(
        scene,
        "S2",
        "wms",
        "inventory",
        "renamed_column",
        ("D03Q", "D03"),
        "the quantity on hand goes by another name",
    )


def byte_order_mark(scene: Scene) -> Truth:
    return disturbed_feed(
        scene,
        "S8",
        "erp",
        "items",
        "byte_order_mark",
        ("D03",),
        "its pages begin with a byte order mark; what follows is what it always was",
    )


def windows_letters(scene: Scene) -> Truth:
    """One item has a letter beyond ASCII, which as UTF-8 says nothing at all."""
    # Not one whose record holds a fault: the change would hide since when that is wrong.
    item = scene.rng.choice([item for item in scene.items if not item.eaches_only])
    retold(scene, "erp", "items", erp_item(item.number), {"descr": f"Kühlmittel {item.number}"})
    return disturbed_feed(
        scene,
        "S8",
        "erp",
        "items",
        "windows_letters",
        ("D01",),
        "its pages are in Windows-1252 and say that they are UTF-8",
    )


def number_with_unit(scene: Scene) -> Truth:
    item = scene.free_item()
    sku, told = wms_sku(item.number), f"{item.weight} g"
    retold(scene, "wms", "items", sku, {"WeightGrams": told})
    keys = {"gtin": item.gtin, "sku": sku}
    return _refused(scene, "S3", "wms", "items", keys, told, str(item.weight))


def unknown_scan_code(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    arrival = order.all("parcel_scanned")[-3]
    # Each has a code of its own: a code that is known to be unknown opens nothing new.
    code = f"Z{scene.numbers.next_int('unknown_code')}"
    scene.write.scan(order, arrival.at + 5 * MINUTE, code, arrival.data["zone"])
    return Truth(
        kind="S4",
        systems=["carrier"],
        keys=keys_of(order, order.shipments[0]),
        since=arrival.at,
        expected=[("D03", f"carrier.tracking_events.code={code}")],
        values={"carrier": code, "real": "in transit"},
    )


def posted_when_printed(scene: Scene) -> Truth:
    """One change of meaning, and all that one run printed: the ERP calls it posted."""
    orders = [scene.order(RECENT) for _ in range(3)]
    printed_at = max(scene.write.released(order, placed, pace=0.2) for order, placed in orders)
    phantoms = []
    for order, _ in orders:
        scene.write.ship(order, printed_at, pace=0.0)
        printed = order.find("shipped")
        printed.seen = {"erp": printed.at}
        phantoms.append(printed)
    correction = None
    for printed in reversed(phantoms):
        back = correction_of(
            "erp",
            "reverse_fulfilment",
            approval=True,
            fulfilment_record=printed.data["fulfilment"],
        )
        correction = back if correction is None else back | {"followed_by": correction}
    keys = [
        keys_of(order, order.shipments[0]) | {"fulfilment": order.shipments[0].fulfilment}
        for order, _ in orders
    ]
    return Truth(
        kind="S5",
        systems=["erp", "wms"],
        keys=keys[0] | {"others": keys[1:]},
        since=max(printed.at for printed in phantoms),
        expected=[("S03", name) for order, _ in orders for name in order.objects()],
        values={
            "erp": "P, which now means that the picking list is printed",
            "wms": "orders are new",
            "real": "not shipped",
        },
        correction=correction,
        after={
            "erp": {
                "fulfilments": [
                    {"ful_no": printed.data["fulfilment"], "stat": "R"} for printed in phantoms
                ]
            }
        },
    )


def sentinel_for_null(scene: Scene) -> Truth:
    item = scene.free_item()
    sku, told = oms_sku(item.number), scene.rng.choice(("N/A", "See price list"))
    retold(scene, "oms", "products", sku, {"listPrice": told})
    return _refused(
        scene, "S6", "oms", "products", {"gtin": item.gtin, "sku": sku}, told, "no price"
    )


def amount_of_a_locale(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    parcel = order.shipments[0]
    lines = parcel.lines
    cents = sum(line["qty"] * line["price"] for line in lines)
    right = price(cents)[:-2]
    told = f"{cents // 100:,}".replace(",", ".") + f",{cents % 100:02d}"
    retold(scene, "erp", "invoices", parcel.invoice, {"amt": told})
    keys = keys_of(order, parcel) | {"invoice": parcel.invoice}
    return _refused(scene, "S7", "erp", "invoice_lines", keys, told, right)


def moment_of_a_locale(scene: Scene) -> Truth:
    """The day first and with points, as people write it; put right some hours later."""
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    parcel = order.shipments[0]
    right = local_naive(order.find("shipped").seen["erp"])
    told = f"{datetime.fromisoformat(right):%d.%m.%Y %H:%M}"
    mended = scene.now + DISTURBED_HOURS * HOUR
    for written, at in ((told, None), (right, mended)):
        retold(scene, "erp", "fulfilments", parcel.fulfilment, {"posted": written}, at=at)
    keys = keys_of(order, parcel) | {"fulfilment": parcel.fulfilment}
    truth = _refused(scene, "S7", "erp", "fulfilment_lines", keys, told, right)
    truth.values["until"] = iso_utc(mended)
    truth.passes = True
    return truth


def lines_emptied(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    scene.write.booked(order, placed)
    retold(scene, "oms", "orders", order_id(order.order), {"lines": []})
    return _refused(
        scene,
        "S10",
        "oms",
        "order_lines",
        keys_of(order),
        "no lines",
        f"{len(order.lines)} lines",
    )


def _refused(
    scene: Scene, kind: str, system: str, entity: str, keys: dict[str, Any], told: str, real: str
) -> Truth:
    """Records that break their contract: they are kept apart, and their feed is spoken of."""
    return Truth(
        kind=kind,
        systems=[system],
        keys=keys,
        since=scene.now,
        expected=[("D03Q", f"{system}.{entity}")],
        values={system: told, "real": real},
    )


KINDS = (
    Kind(
        "S1",
        "The OMS adds a field to its products",
        column_added,
        undated=True,
        whole_feed="oms.products",
    ),
    Kind(
        "S2",
        "The WMS renames the quantity on hand",
        column_renamed,
        undated=True,
        whole_feed="wms.inventory",
    ),
    Kind(
        "S3",
        "The WMS writes a weight with its unit",
        number_with_unit,
        undated=True,
        takes_free_stock=True,
        mixed=False,
    ),
    Kind("S4", "Carrier scan with an unknown code", unknown_scan_code),
    Kind("S5", "The ERP says posted when it printed the picking list", posted_when_printed),
    Kind(
        "S6",
        "The OMS writes N/A for a price",
        sentinel_for_null,
        undated=True,
        takes_free_stock=True,
        mixed=False,
    ),
    Kind(
        "S7",
        "The ERP writes an amount with a decimal comma",
        amount_of_a_locale,
        undated=True,
        mixed=False,
    ),
    Kind(
        "S7D",
        "The ERP writes the moment of a posting the way people do",
        moment_of_a_locale,
        undated=True,
        mixed=False,
    ),
    Kind(
        "S8",
        "The ERP's pages of items begin with a byte order mark",
        byte_order_mark,
        undated=True,
        whole_feed="erp.items",
    ),
    Kind(
        "S8L",
        "The ERP's pages of items are in Windows-1252",
        windows_letters,
        undated=True,
        whole_feed="erp.items",
    ),
    Kind(
        "S10",
        "The OMS tells an order without its lines",
        lines_emptied,
        undated=True,
        mixed=False,
    ),
)
