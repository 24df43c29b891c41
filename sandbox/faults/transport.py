"""Faults of transport: messages lost, doubled, late or out of order, and feeds that break off."""

from __future__ import annotations

from sandbox.catalogue import wms_sku
from sandbox.clock import HOUR, MINUTE
from sandbox.disturbances import BROKEN_OFF
from sandbox.faults.finance import not_invoiced
from sandbox.faults.kind import Kind, correction_of, disturbed_feed, shipped_from_now_on
from sandbox.faults.order import price_differs
from sandbox.orders import Order
from sandbox.scene import OLD, RECENT, Scene, keys_of
from sandbox.truth import Truth

SKIPPED_MINUTES = 20
"""After so long a feed tells what it skipped."""


def release_lost(scene: Scene) -> Truth:
    order, placed = scene.order(RECENT)
    scene.write.released(order, placed, pace=0.2)
    return unreleased(order)


def unreleased(order: Order) -> Truth:
    """A released order, of which the WMS knows nothing."""
    released = order.find("order_released")
    del released.seen["wms"]
    return Truth(
        kind="T1",
        systems=["erp", "wms"],
        keys=keys_of(order),
        since=released.seen["erp"],
        expected=[("O06", name) for name in order.objects()],
        values={"erp": "released", "wms": "absent", "real": "released"},
        correction=correction_of(
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


def posting_delayed(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    shipped, invoiced = order.find("shipped"), order.find("invoiced")
    # A heavy tail: mostly some hours, now and then most of a day.
    delay = min(16 * HOUR, HOUR + scene.rng.paretovariate(1.2) * HOUR)
    posted = shipped.seen["erp"] = shipped.seen["wms"] + delay
    invoiced.at = max(invoiced.at, posted + 20 * MINUTE)
    invoiced.seen = {"erp": invoiced.at}
    return Truth(
        kind="T4",
        systems=["wms", "erp"],
        keys=keys_of(order, order.shipments[0]),
        since=shipped.seen["wms"],
        expected=[("S01", name) for name in order.objects()],
        values={
            "wms": "shipped",
            "erp": f"posted {delay / HOUR:.1f} hours later",
            "real": "shipped; nothing is left to correct",
        },
    )


def document_skipped(scene: Scene) -> Truth:
    order, placed = scene.order(OLD)
    scene.write.delivered(order, placed)
    shipped, parcel = order.find("shipped"), order.shipments[0]
    told = scene.now + SKIPPED_MINUTES * MINUTE
    scene.disturb("wms", "shipments", "skipped", told, record=parcel.shipment)
    scene.write.add(order, told, "shipment_resent", {"wms": told}, shipment=parcel.shipment)
    return Truth(
        kind="T8",
        systems=["wms", "erp"],
        keys=keys_of(order, parcel),
        since=shipped.seen["erp"],
        expected=[(rule, name) for rule in ("S03", "F02") for name in order.objects()],
        values={
            "wms": "shipped; its feed goes past the document and tells it only later, but who asks"
            " for it gets it",
            "erp": "fulfilled and invoiced",
            "real": "shipped; nothing is to be corrected",
        },
    )


def page_cut(scene: Scene) -> Truth:
    return disturbed_feed(
        scene, "T7", "wms", "items", "cut_page", ("D01",), "every page breaks off half way"
    )


def file_broken_off(scene: Scene) -> Truth:
    """The whole file comes some hours later under the same name; others come meanwhile."""
    what = "the file of its stock breaks off and has no trailer; later it comes whole"
    truth = disturbed_feed(scene, "T7", "erp_north", "stock", BROKEN_OFF, ("D02",), what)
    truth.keys = {"feed": "erp_north.erp_stock"}
    truth.expected = [("D02", "erp_north.erp_stock")]
    return truth


def feed_silent(scene: Scene) -> Truth:
    return disturbed_feed(
        scene, "T9", "erp", "stock", "silent", ("D01",), "answers 200 and has no rows"
    )


def outage_and_burst(scene: Scene) -> Truth:
    """What happens meanwhile the others tell at once, and the WMS all at the end."""
    truth = disturbed_feed(
        scene, "T10", "wms", "shipments", "status_503", ("D01",), "away, then all at once"
    )
    truth.expected = [("D01", "wms.shipment_lines")]
    order = shipped_from_now_on(scene)
    truth.keys = {"feed": "wms.shipment_lines", **keys_of(order, order.shipments[0])}
    return truth


def out_of_order(scene: Scene) -> Truth:
    truth = disturbed_feed(
        scene, "T12", "erp", "invoices", "out_of_order", ("D02S",), "the newest change comes first"
    )
    truth.expected = [("D02S", "erp.invoice_lines")]
    orders = [shipped_from_now_on(scene, after * MINUTE) for after in (2, 5)]
    truth.keys = {
        "feed": "erp.invoice_lines",
        "orders": [keys_of(order, order.shipments[0]) for order in orders],
    }
    return truth


def answer_lost(scene: Scene) -> Truth:
    return _billed_unheard(scene, "never_answer", "applies the correction and never answers")


def denied_by_gateway(scene: Scene) -> Truth:
    what = "applies the correction; its gateway says 429"
    return _billed_unheard(scene, "busy_after_effect", what)


def _billed_unheard(scene: Scene, mode: str, what: str) -> Truth:
    """Not invoiced, and the ERP takes our invoice without saying so."""
    truth = not_invoiced(scene)
    truth.kind = "T11"
    truth.values["target"] = what
    scene.behave("erp", mode, truth.keys["doc_no"])
    return truth


def denied_without_a_trace(scene: Scene) -> Truth:
    """The OMS keeps no trace of a key: only that it was sent tells that the new price is ours."""
    truth = price_differs(scene)
    assert truth.correction is not None
    truth.kind = "T11"
    truth.values["target"] = "applies the correction and says 503"
    truth.states = ("verified",)
    record = truth.correction["payload"]["order_record"]
    scene.behave("oms", "unavailable_after_effect", record)
    return truth


KINDS = (
    Kind("T1", "Released in the ERP, never reached the WMS", release_lost),
    Kind("T4", "Posted in the ERP hours after it was due", posting_delayed),
    Kind(
        "T7",
        "The WMS's pages of items break off",
        page_cut,
        undated=True,
        whole_feed="wms.items",
    ),
    Kind(
        "T7N",
        "A file of the north's stock breaks off before its trailer",
        file_broken_off,
        undated=True,
        needs=("north",),
        whole_feed="erp_north.erp_stock",
    ),
    Kind("T8", "The WMS's feed skips a shipment", document_skipped, mixed=False),
    Kind(
        "T9", "The ERP tells no stock any more", feed_silent, undated=True, whole_feed="erp.stock"
    ),
    Kind(
        "T10",
        "The WMS's shipments are away for hours, then it tells all at once",
        outage_and_burst,
        undated=True,
        whole_feed="wms.shipments",
    ),
    Kind(
        "T12",
        "The ERP's pages of invoices come in another order",
        out_of_order,
        undated=True,
        whole_feed="erp.invoices",
    ),
    Kind(
        "T11",
        "Not invoiced, and the ERP's answer to the correction is lost",
        answer_lost,
        mixed=False,
    ),
    Kind(
        "T11R",
        "Not invoiced, and the ERP applies the correction and says 429",
        denied_by_gateway,
        mixed=False,
    ),
    Kind(
        "T11U",
        "Price differs, and the OMS applies the correction and says 503",
        denied_without_a_trace,
        undated=True,
        mixed=False,
    ),
)
