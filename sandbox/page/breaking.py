"""Breaking an order that exists: the kinds that go on from the state it is in, and how.

Each takes the order one step on, as it would go, but for one message that is lost, doubled or
invented. So a kind fits only where that step is the next one. Dates lie a little after the order's
last step, the changes themselves are made now: whoever reads on from a cursor finds them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox import clock
from sandbox.catalogue import ERP_WAREHOUSE, LOCATIONS, THIRD_PARTY, erp_item, wms_sku
from sandbox.clock import MINUTE
from sandbox.distributor import Distributor
from sandbox.events import Event
from sandbox.page.beliefs import Beliefs, beliefs
from sandbox.page.happened import OrderTruth, Parcel, order_truth
from sandbox.truth import Truth
from sandbox.views.erp import BOOKED, INVOICED, RELEASED
from sandbox.views.oms import money, order_id


class NotHereError(Exception):
    """This kind cannot happen to this order as it stands."""


@dataclass(frozen=True)
class Patient:
    """An order about to be broken. ``at``: when the next step happened, ``now`` when told of."""

    distributor: Distributor
    truth: OrderTruth
    held: Beliefs
    at: float

    @property
    def now(self) -> float:
        """The moment of breaking."""
        return self.truth.now

    @property
    def keys(self) -> dict[str, Any]:
        """Its business keys."""
        return {"order_number": self.truth.number, "doc_no": self.truth.header["doc_no"]}

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its lines as events tell them."""
        return list(self.truth.lines.values())

    @property
    def objects(self) -> list[str]:
        """Its lines as rules name them."""
        return [f"{self.truth.number}/{line}" for line in self.truth.lines]

    @property
    def only_parcel(self) -> Parcel:
        """The parcel."""
        return next(iter(self.truth.parcels.values()))

    def event(self, kind: str, seen: dict[str, float], at: float = 0.0, **data: Any) -> Event:
        """One more event of the order."""
        header = {name: self.truth.header[name] for name in ("order", "doc_no", "wms_order")}
        return Event(at or self.at, kind, self.truth.number, {**header, **data}, seen)

    def parcel(self) -> dict[str, Any]:
        """The data of a parcel with all that was ordered."""
        numbers = self.distributor.numbers
        return {
            "shipment": numbers.next("shipment"),
            "tracking": numbers.next("tracking"),
            "fulfilment": numbers.next("fulfilment"),
            "location": self.truth.location,
            "lines": [{**line, "last": True} for line in self.lines],
            "last": True,
        }


Staged = tuple[list[Event], Truth]


@dataclass(frozen=True)
class Break:
    """One kind: ``fits`` says whether the order is in its state, ``stage`` makes it happen."""

    fits: Callable[[OrderTruth, Beliefs], bool]
    stage: Callable[[Patient], Staged]


def patient(distributor: Distributor, number: str) -> Patient | None:
    """The order as it stands now; None when nobody placed it."""
    now = clock.now()
    truth = order_truth(distributor.store, number, now)
    if truth is None:
        return None
    held = beliefs(distributor, truth)
    last = max(
        (when for event in truth.events for when in (event.at, *event.seen.values())), default=now
    )
    # A system may be told of the last step later than it happened.
    at = now if last >= now - MINUTE else min(now, last + 40 * MINUTE)
    return Patient(distributor, truth, held, at)


def kinds_for(found: Patient) -> list[str]:
    """The kinds that can happen to an order now."""
    # Elsewhere other systems would have to be told.
    elsewhere = not found.truth.is_in_oms or found.truth.location == THIRD_PARTY
    if elsewhere or _unsettled(found):
        return []
    return [name for name, kind in HERE.items() if kind.fits(found.truth, found.held)]


def break_order(distributor: Distributor, kind: str, number: str) -> dict[str, Any]:
    """Let a kind happen to an order; returns the truth row. Raises NotHereError."""
    found = patient(distributor, number)
    if found is None:
        raise NotHereError(f"there is no order {number}")
    if kind not in kinds_for(found):
        possible = ", ".join(kinds_for(found)) or "nothing"
        raise NotHereError(f"{kind} cannot happen to {number} as it stands; possible: {possible}")
    events, truth = HERE[kind].stage(found)
    row = truth.row(distributor.numbers.next("fault"), found.now)
    distributor.happen(events, [row], found.now)
    return row


def _unsettled(found: Patient) -> bool:
    """Whether something is still on its way: what comes next would have to wait for it."""
    return any(
        when > found.now
        for event in found.truth.events
        for when in (event.at, *event.seen.values())
    )


def _healthy(truth: OrderTruth, held: Beliefs) -> bool:
    """One booking that stands as ordered, nothing cancelled and nothing drop-shipped."""
    return bool(
        held.oms
        and not truth.cancelled
        and not truth.bought
        and len(held.erp_orders) == 1
        and all(line["cancelled"] is None for line in held.erp_orders[0]["lines"])
        and all(line["cancelledAt"] is None for line in held.oms["lines"])
    )


def _untouched(truth: OrderTruth, held: Beliefs) -> bool:
    return bool(held.oms and held.oms["status"] == "PLACED" and not held.erp_orders)


def _booked(truth: OrderTruth, held: Beliefs) -> bool:
    return _healthy(truth, held) and held.erp_orders[0]["stat"] == BOOKED and not held.wms_orders


def _released(truth: OrderTruth, held: Beliefs) -> bool:
    standing = [order for order in held.wms_orders if order["Status"] != "CANCELED"]
    return (
        _healthy(truth, held)
        and held.erp_orders[0]["stat"] == RELEASED
        and len(standing) == 1
        # Events name the order by the numbers it was born with; a correction gives others.
        and standing[0]["OrderNbr"] == truth.header["wms_order"]
        and truth.location is not None
        and not (truth.parcels or held.shipments or held.fulfilments or held.invoices)
    )


def _complete(truth: OrderTruth, held: Beliefs) -> bool:
    standing = [invoice for invoice in held.invoices if invoice["stat"] == "P"]
    return (
        _healthy(truth, held)
        and held.erp_orders[0]["stat"] == INVOICED
        and len(truth.parcels) == len(standing) == 1
    )


def _own_number(truth: OrderTruth, held: Beliefs) -> bool:
    return held.erp_orders[0]["doc_no"] == truth.header["doc_no"]


def _correction(system: str, kind: str, approval: bool = False, **payload: Any) -> dict[str, Any]:
    return {"system": system, "kind": kind, "needs_approval": approval, "payload": payload}


def _never_booked(order: Patient) -> Staged:
    header = order.truth.header
    event = order.event(
        "order_accepted",
        {"oms": order.at},
        customer=header["customer"],
        po=header["po"],
        lines=order.lines,
    )
    lines = [
        {
            "line_no": line["line"],
            "item": order.distributor.items[line["item"] - 1].gtin,
            "target_item": erp_item(line["item"]),
            "quantity": str(line["qty"]),
            "uom": "EA",
            "unit_price": money(line["price"]),
        }
        for line in order.lines
    ]
    return [event], Truth(
        kind="O1",
        systems=["oms", "erp"],
        keys={"order_number": order.truth.number},
        since=order.at,
        expected=[("O02", name) for name in order.objects],
        values={"oms": "accepted", "erp": "absent", "real": "accepted"},
        correction=_correction(
            "erp",
            "create_order",
            order_number=order.truth.number,
            customer_ref=header["customer"],
            customer_po=header["po"],
            currency="USD",
            lines=lines,
        ),
        after={"erp": {"sales_orders": {"ext_ref": order.truth.number, "stat": BOOKED}}},
    )


def _cancelled_in_oms_only(order: Patient) -> Staged:
    line = order.lines[-1]["line"]
    event = order.event("lines_cancelled", {"oms": order.at}, lines=[line])
    doc_no = order.keys["doc_no"]
    return [event], Truth(
        kind="O4",
        systems=["oms", "erp"],
        keys=order.keys | {"line": line},
        since=order.at,
        expected=[("O05", f"{order.truth.number}/{line}")],
        values={"oms": "cancelled", "erp": "booked", "real": "cancelled"},
        correction=_correction(
            "erp", "cancel_line", order_record=doc_no, line_record=str(line * 10)
        ),
        after={"erp": {"sales_orders": {"doc_no": doc_no, "pos": line * 10, "stat": 90}}},
    )


def _repriced_in_erp_only(order: Patient) -> Staged:
    line = order.lines[0]["line"]
    old = order.truth.prices[line]
    new = old + 95
    number = order.truth.number
    event = order.event("line_repriced", {"erp": order.now}, order.now, line=line, price=new)
    return [event], Truth(
        kind="O5",
        systems=["oms", "erp"],
        keys=order.keys | {"line": line},
        since=order.now,
        expected=[("O04", f"{number}/{line}")],
        values={"oms": money(old), "erp": money(new), "real": money(new), "field": "unit_price"},
        correction=_correction(
            "oms",
            "update_price",
            order_record=order_id(number),
            line_record=str(line),
            unit_price=money(new),
            old_unit_price=money(old),
        ),
        after={"oms": {"orders": {"orderNumber": number, "lineNo": line, "unitPrice": money(new)}}},
    )


def _release_lost(order: Patient) -> Staged:
    location = LOCATIONS[0]
    event = order.event("order_released", {"erp": order.at}, location=location, lines=order.lines)
    return [event], Truth(
        kind="T1",
        systems=["erp", "wms"],
        keys=order.keys,
        since=order.at,
        expected=[("O06", name) for name in order.objects],
        values={"erp": "released", "wms": "absent", "real": "released"},
        correction=_correction(
            "wms",
            "create_warehouse_order",
            host_order=order.keys["doc_no"],
            location=location,
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
        after={"wms": {"orders": {"HostOrder": order.keys["doc_no"], "Status": "NEW"}}},
    )


def _erp_lines(order: Patient) -> list[dict[str, str]]:
    return [
        {"line_record": str(line["line"] * 10), "quantity": str(line["qty"])}
        for line in order.lines
    ]


def _shipped_not_posted(order: Patient) -> Staged:
    parcel = order.parcel()
    event = order.event("shipped", {"wms": order.at, "oms": order.at + MINUTE}, **parcel)
    document, doc_no = parcel["shipment"], order.keys["doc_no"]
    fulfil = _correction(
        "erp",
        "create_fulfilment",
        order_record=doc_no,
        document=document,
        location=parcel["location"],
        target_location=ERP_WAREHOUSE[parcel["location"]],
        lines=_erp_lines(order),
    )
    fulfil["followed_by"] = _correction(
        "erp", "create_invoice", order_record=doc_no, document=document, lines=_erp_lines(order)
    )
    # The carrier does pick it up: only the ERP is to be missed.
    scan = order.event(
        "parcel_scanned",
        {"carrier": order.at + 2 * MINUTE},
        order.at + MINUTE,
        tracking=parcel["tracking"],
        shipment=document,
        code="PU",
        zone="America/New_York",
        reason=None,
        scanned_at=order.at + MINUTE,
        completes=list(order.truth.lines),
    )
    return [event, scan], Truth(
        kind="H2",
        systems=["wms", "erp"],
        keys=order.keys
        | {
            "wms_order": order.truth.header["wms_order"],
            "shipment": document,
            "tracking": parcel["tracking"],
        },
        since=order.at,
        expected=[(rule, name) for rule in ("S01", "F01") for name in order.objects],
        values={"wms": "shipped", "erp": "neither fulfilled nor invoiced", "real": "shipped"},
        correction=fulfil,
        after={
            "erp": {
                "fulfilments": {"ship_ref": document, "stat": "P"},
                "invoices": {"ship_ref": document, "stat": "P"},
            }
        },
    )


def _posted_not_shipped(order: Patient) -> Staged:
    parcel = order.parcel()
    number = parcel["fulfilment"]
    return [order.event("shipped", {"erp": order.at}, **parcel)], Truth(
        kind="H3",
        systems=["erp", "wms"],
        keys=order.keys | {"shipment": parcel["shipment"], "fulfilment": number},
        since=order.at,
        expected=[("S03", name) for name in order.objects],
        values={"erp": "fulfilled", "wms": "not shipped", "real": "not shipped"},
        correction=_correction("erp", "reverse_fulfilment", True, fulfilment_record=number),
        after={"erp": {"fulfilments": {"ful_no": number, "stat": "R"}}},
    )


def _invoiced_not_shipped(order: Patient) -> Staged:
    numbers = order.distributor.numbers
    ghost, invoice = numbers.next("shipment"), numbers.next("invoice")
    event = order.event(
        "invoiced", {"erp": order.at}, invoice=invoice, shipment=ghost, lines=order.lines
    )
    return [event], Truth(
        kind="F2",
        systems=["erp", "wms"],
        keys=order.keys | {"invoice": invoice, "shipment": ghost},
        since=order.at,
        expected=[("F02", name) for name in order.objects],
        values={"erp": "invoiced", "wms": "not shipped", "real": "not shipped"},
        correction=_correction("erp", "void_invoice", True, invoice_record=invoice),
        after={"erp": {"invoices": {"inv_no": invoice, "stat": "V"}}},
    )


def _booked_twice(order: Patient) -> Staged:
    header = order.truth.header
    twin = order.distributor.numbers.next("extra_doc")
    event = order.event(
        "order_accepted",
        {"erp": order.at},
        customer=header["customer"],
        po=header["po"],
        lines=order.lines,
        doc_no=twin,
    )
    return [event], Truth(
        kind="O2",
        systems=["erp"],
        keys=order.keys | {"duplicate_doc_no": twin},
        since=order.at,
        expected=[("O03", twin)],
        values={"erp": [order.keys["doc_no"], twin], "real": [order.keys["doc_no"]]},
        correction=_correction("erp", "cancel_order", True, order_record=twin),
        after={"erp": {"sales_orders": {"doc_no": twin, "stat": 90}}},
    )


def _invoiced_twice(order: Patient) -> Staged:
    twin = order.distributor.numbers.next("invoice")
    parcel = order.only_parcel
    first = next(doc["inv_no"] for doc in order.held.invoices if doc["stat"] == "P")
    lines = [
        {**line, "qty": parcel.quantities[line["line"]]}
        for line in order.lines
        if line["line"] in parcel.quantities
    ]
    event = order.event(
        "invoiced", {"erp": order.at}, invoice=twin, shipment=parcel.shipment, lines=lines
    )
    return [event], Truth(
        kind="F3",
        systems=["erp"],
        keys=order.keys
        | {"shipment": parcel.shipment, "invoice": first, "duplicate_invoice": twin},
        since=order.at,
        expected=[
            ("F03", twin),
            *(("F02Q", f"{order.keys['order_number']}/{line['line']}") for line in lines),
        ],
        values={"erp": [first, twin], "real": [first]},
        correction=_correction("erp", "void_invoice", True, invoice_record=twin),
        after={"erp": {"invoices": {"inv_no": twin, "stat": "V"}}},
    )


def _with_number(
    fits: Callable[[OrderTruth, Beliefs], bool],
) -> Callable[[OrderTruth, Beliefs], bool]:
    """Events reach the ERP's order by the number it was born with."""
    return lambda truth, held: fits(truth, held) and _own_number(truth, held)


HERE: dict[str, Break] = {
    "O1": Break(_untouched, _never_booked),
    "O2": Break(_with_number(_healthy), _booked_twice),
    "O4": Break(_with_number(_booked), _cancelled_in_oms_only),
    "O5": Break(_with_number(_booked), _repriced_in_erp_only),
    "T1": Break(_with_number(_booked), _release_lost),
    "H2": Break(_with_number(_released), _shipped_not_posted),
    "H3": Break(_with_number(_released), _posted_not_shipped),
    "F2": Break(_with_number(_released), _invoiced_not_shipped),
    "F3": Break(_with_number(_complete), _invoiced_twice),
}
"""By the name that the kind has in ``KINDS``."""
