"""Faults of master data: items, packs, locations and partners."""

from __future__ import annotations

from typing import Any

from sandbox.catalogue import LOCATIONS, Item, gtin14, oms_sku, wms_sku
from sandbox.clock import DAY, HOUR
from sandbox.faults.kind import Kind, correction_of, retold, whole_in_eaches
from sandbox.orders import Order
from sandbox.scene import OLD, RECENT, Scene, keys_of
from sandbox.truth import Truth


def item_unmapped(scene: Scene) -> Truth:
    sku = oms_sku(9000 + scene.numbers.next_int("unknown_item"))
    return _sold_as(scene, "M1", sku, "no item of any system")


def item_variant(scene: Scene) -> Truth:
    right = oms_sku(scene.rng.choice(scene.items).number)
    written = scene.rng.choice((right.lower(), right + " ", right.replace("-0", "-")))
    return _sold_as(scene, "M2", written, right)


def _sold_as(scene: Scene, kind: str, sku: str, real: str) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    taken = order.find("order_placed")
    first, *others = order.lines
    taken.told["oms"] = {"lines": [{**first, "sku": sku}, *others]}
    return Truth(
        kind=kind,
        systems=["oms"],
        keys=keys_of(order) | {"sku": sku},
        since=taken.seen["oms"],
        expected=[("M01", f"oms.order_lines.sku={sku}")],
        values={"oms": sku, "real": real},
    )


def item_twice(scene: Scene) -> Truth:
    """A new item, so that nobody has ordered it: what is ordered names one number."""
    number = 9000 + scene.numbers.next_int("unknown_item")
    twin = wms_sku(9000 + scene.numbers.next_int("unknown_item"))
    at = scene.now - scene.rng.uniform(4 * HOUR, 20 * DAY)
    gtin = gtin14(number)
    scene.add(
        at,
        "item_created",
        gtin,
        {"erp": at, "oms": at + 1.0, "wms": at + 2.0},
        item=number,
        gtin=gtin,
        title=f"New item {number}",
        case_pack=scene.rng.choice((6, 12)),
        weight=scene.rng.randrange(40, 6000, 10),
        price=scene.rng.randrange(250, 9000, 5),
        locations=list(LOCATIONS),
    )
    doubled = at + HOUR
    scene.add(doubled, "item_doubled", gtin, {"wms": doubled}, item=number, sku=twin)
    return Truth(
        kind="M3",
        systems=["wms"],
        keys={"shared_gtin": gtin, "sku": wms_sku(number), "second_sku": twin},
        since=doubled,
        expected=[("M01", f"wms.items.gtin={gtin}")],
        values={"wms": [wms_sku(number), twin], "real": wms_sku(number)},
    )


def location_alias(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    alias = f"{order.location}-DC"
    retold(scene, "wms", "orders", order.wms_order, {"Whse": alias})
    return Truth(
        kind="M4",
        systems=["wms"],
        keys=keys_of(order) | {"wms_order": order.wms_order},
        since=scene.now,
        expected=[("M01", f"wms.order_lines.whse={alias}")],
        values={"wms": alias, "real": order.location},
    )


def cases_for_eaches(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT, in_cases=True)
    scene.write.booked(order, placed)
    line, *others = order.lines
    cases = line["qty"] // line["pack"]
    accepted = order.find("order_accepted")
    accepted.told["erp"] = {"lines": [{**line, "qty": cases}, *others]}
    return Truth(
        kind="M5",
        systems=["oms", "erp"],
        keys=keys_of(order) | {"line": line["line"]},
        since=accepted.seen["erp"],
        expected=[("O04", f"{order.order}/{line['line']}")],
        values={
            "oms": str(line["qty"]),
            "erp": f"{cases}: as many eaches as there were cases",
            "real": str(line["qty"]),
            "field": "quantity",
        },
        correction=correction_of(
            "erp",
            "update_quantity",
            order_record=order.doc_no,
            line_record=str(line["line"] * 10),
            quantity=str(line["qty"]),
            old_quantity=str(cases),
        ),
        after={
            "erp": {
                "sales_orders": {
                    "doc_no": order.doc_no,
                    "pos": line["line"] * 10,
                    "ord_qty": f"{line['qty']}.000",
                }
            }
        },
    )


def customer_twice(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    return under_second_number(order)


def under_second_number(order: Order) -> Truth:
    """A booked order, whose customer has another number in the ERP."""
    second = f"C{int(order.customer[1:]) + 5000}"
    accepted = order.find("order_accepted")
    accepted.told["erp"] = {"customer": second}
    return Truth(
        kind="M8",
        systems=["oms", "erp"],
        keys=keys_of(order) | {"second_customer": second},
        since=accepted.seen["erp"],
        expected=[("M01", f"erp.sales_order_lines.cust_no={second[1:]}")],
        values={"oms": order.customer, "erp": second, "real": "one customer"},
    )


def bundle_exploded_otherwise(scene: Scene) -> Truth:
    """Two orders of one bundle: the warehouse's parts list has one piece less of a component. Both
    together want less than two such orders would, which is what has been looked for."""
    first, placed = scene.order(RECENT, line_count=2)
    whole_in_eaches(first)
    component = first.lines[0]
    in_a_bundle = component["qty"] // 2
    second, later = scene.order(RECENT, like=first)
    short = {}
    for order, moment, bundles in ((first, placed, 1), (second, later, 2)):
        pieces = in_a_bundle * bundles
        order.lines[0]["qty"], less = pieces, pieces - bundles
        scene.write.released(order, moment, pace=0.2)
        head, *others = order.lines
        order.find("order_released").told["wms"] = {"lines": [{**head, "qty": less}, *others]}
        short[f"{order.order}/1"] = f"{less} of {pieces}"
    return Truth(
        kind="M9",
        systems=["erp", "wms"],
        keys=keys_of(first) | {"others": [keys_of(second)]},
        since=max(order.find("order_released").seen["wms"] for order in (first, second)),
        expected=[("O06Q", name) for name in short],
        values={
            "erp": {f"{order.order}/1": order.lines[0]["qty"] for order in (first, second)},
            "wms": short,
            "real": "a bundle holds as many as OMS and ERP say",
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
        correction=correction_of(
            "wms",
            "set_pack",
            target_item=wms_sku(item.number),
            pack_quantity=str(item.case_pack),
            old_pack_quantity=str(wrong),
        ),
        after={"wms": {"items": {"Sku": wms_sku(item.number), "CasePack": item.case_pack}}},
    )


def weight_differs(scene: Scene) -> Truth:
    item = scene.free_item()
    wrong = item.weight * 10
    at = scene.now - scene.rng.uniform(4 * HOUR, 20 * DAY)
    scene.add(at, "item_reweighed", item.gtin, {"wms": at}, item=item.number, weight=wrong)
    return _drifted(item, at, wms=wrong, erp=item.weight, field="weight")


def blocked_in_erp_only(scene: Scene) -> Truth:
    item = scene.free_item()
    at = scene.now - scene.rng.uniform(4 * HOUR, 20 * DAY)
    scene.add(at, "item_blocked", item.gtin, {"erp": at}, item=item.number)
    return _drifted(item, at, wms="active", erp="blocked", field="status")


def _drifted(item: Item, at: float, **values: Any) -> Truth:
    return Truth(
        kind="M6",
        systems=["wms", "erp"],
        keys={"gtin": item.gtin, "sku": wms_sku(item.number)},
        since=at,
        expected=[("M02", item.gtin)],
        values=values | {"real": values["erp"]},
    )


def number_without_region(scene: Scene) -> Truth:
    """The warehouse is told of an order of the north by its bare number, which the other ERP has
    given to another order."""
    other, before = scene.order(OLD)
    scene.write.delivered(other, before)
    order, placed = scene.order(RECENT)
    scene.write.in_north(order, other.doc_no)
    scene.write.released(order, placed, pace=0.2)
    released = order.find("order_released")
    released.told["wms"] = {"host_order": order.doc_no}
    return Truth(
        kind="M7",
        systems=["erp_north", "wms"],
        keys=keys_of(order) | {"wms_order": order.wms_order, "other_order": other.order},
        since=released.seen["wms"],
        # That the warehouse lacks the order nobody can say: what it has may well be it.
        expected=[("M01", f"wms.order_lines.host_order={order.doc_no}")],
        values={
            "erp_north": order.doc_no,
            "wms": order.doc_no + ", without the region",
            "real": order.host_order,
            "other_order": other.order,
        },
    )


KINDS = (
    Kind("M1", "The OMS sells an item that no system knows", item_unmapped),
    Kind("M2", "The OMS writes an item number in another way", item_variant),
    Kind("M3", "The WMS keeps one item under two numbers", item_twice),
    Kind("M4", "The WMS calls a warehouse by another name", location_alias, undated=True),
    Kind("M5", "The ERP booked cases as eaches", cases_for_eaches, undated=True),
    Kind(
        "M7",
        "The WMS names an order of the north by a number that the other ERP has given, too",
        number_without_region,
        needs=("north",),
    ),
    Kind("M8", "The ERP keeps a customer under a second number", customer_twice),
    Kind(
        "M9",
        "The WMS explodes a bundle into fewer pieces than OMS and ERP",
        bundle_exploded_otherwise,
    ),
    Kind(
        "M6",
        "Case pack in the WMS differs from the item master",
        pack_differs,
        undated=True,
        takes_free_stock=True,
    ),
    Kind(
        "M6W",
        "Weight in the WMS differs from the item master",
        weight_differs,
        undated=True,
        takes_free_stock=True,
    ),
    Kind(
        "M6S",
        "Blocked in the item master, active in the WMS",
        blocked_in_erp_only,
        undated=True,
        takes_free_stock=True,
    ),
)
