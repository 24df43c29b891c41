"""An order's life told by four systems, step by step: each step is one system's word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scenario import NOW, Scenario, ago, erp_local, wms_ms

ITEM = "00012345600012"


@dataclass
class Line:
    """One line of an order; quantities in each."""

    number: int
    quantity: int = 5
    price: str = "12.500000"


class Order:
    """One order, placed ``start`` and moved on by calling the steps that happened."""

    def __init__(
        self, scenario: Scenario, number: int, start: datetime, lines: Sequence[Line] = ()
    ) -> None:
        self.scenario = scenario
        self.number = number
        self.start = start
        self.lines = list(lines) or [Line(1)]

    @property
    def order_id(self) -> str:
        return f"SO-{self.number}"

    @property
    def doc_no(self) -> str:
        return f"E5{self.number:05d}"

    @property
    def shipment(self) -> str:
        return f"SHP-{self.number:06d}"

    @property
    def tracking(self) -> str:
        return f"TRK{self.number:07d}"

    def at(self, minutes: float) -> datetime:
        return self.start + timedelta(minutes=minutes)

    def oms(self, updated: datetime | None = None, **changes: Any) -> Order:
        """The OMS's word on every line; ``changes`` may be a value or one value a line number."""
        for line in self.lines:
            fields = {
                "order_id": f"ord_{self.number}",
                "order_number": self.order_id,
                "line_no": line.number,
                "channel": "web",
                "customer_ref": "C0042",
                "customer_po": f"PO-{self.number}",
                "region": "US",
                "currency": "USD",
                "order_status": "ACCEPTED",
                "placed_at": self.start,
                "accepted_at": self.at(1),
                "updated_at": updated or self.at(1),
                "version": 1,
                "sku": "SKU-0001",
                "qty": line.quantity,
                "uom": "EA",
                "unit_price": line.price,
                "line_status": "ACCEPTED",
            }
            self.scenario.say("oms", "order_lines", **(fields | _of_line(changes, line.number)))
        return self

    def erp(self, doc_no: str | None = None, after: float = 5, **changes: Any) -> Order:
        """The ERP's sales order, entered ``after`` minutes."""
        for line in self.lines:
            fields = {
                "doc_no": doc_no or self.doc_no,
                "pos": line.number * 10,
                "ext_ref": self.order_id,
                "ext_line": line.number,
                "cust_no": "0042",
                "cust_po": f"PO-{self.number}",
                "curr": "USD",
                "stat": 20,
                "entered": erp_local(self.at(after)),
                "booked": erp_local(self.at(after)),
                "modified": erp_local(self.at(after)),
                "row_version": 1,
                "item_no": "10-0001",
                "ord_qty": line.quantity,
                "um": "EA",
                "prc": line.price,
                "line_stat": 20,
            }
            self.scenario.say(
                "erp", "sales_order_lines", **(fields | _of_line(changes, line.number))
            )
        return self

    def released(self, after: float = 10) -> Order:
        """The ERP's order, released; this is its only version."""
        moment = erp_local(self.at(after))
        return self.erp(released=moment, modified=moment, stat=30, line_stat=30, whs="E1")

    def warehouse(self, after: float = 15, **changes: Any) -> Order:
        """The warehouse has the order."""
        for line in self.lines:
            fields = {
                "order_nbr": f"W3{self.number:05d}",
                "line_nbr": line.number,
                "host_order": self.doc_no,
                "host_line": line.number * 10,
                "whse": "EAST",
                "status": "NEW",
                "created_ms": wms_ms(self.at(after)),
                "updated_ms": wms_ms(self.at(after)),
                "version": 1,
                "sku": "A0001",
                "ord_qty": line.quantity,
                "uom": "EA",
                "seq": 1,
            }
            self.scenario.say("wms", "order_lines", **(fields | changes))
        return self

    def shipped(
        self,
        after: float = 60,
        shipment: str | None = None,
        quantity: int | None = None,
        uom: str = "EA",
        **changes: Any,
    ) -> Order:
        """The warehouse shipped every line in one shipment and one package."""
        for line in self.lines:
            fields = {
                "ship_nbr": shipment or self.shipment,
                "line_nbr": line.number,
                "order_nbr": f"W3{self.number:05d}",
                "host_order": self.doc_no,
                "host_line": line.number * 10,
                "whse": "EAST",
                "status": "SHIPPED",
                "shipped_ms": wms_ms(self.at(after)),
                "tracking_nbr": self.tracking,
                "carrier": "SWFT",
                "updated_ms": wms_ms(self.at(after)),
                "version": 1,
                "sku": "A0001",
                "qty": quantity or line.quantity,
                "uom": uom,
                "seq": 1,
            }
            self.scenario.say("wms", "shipment_lines", **(fields | changes))
        return self

    def fulfilled(
        self,
        after: float = 65,
        shipment: str | None = None,
        quantity: int | None = None,
        number: str | None = None,
        doc_no: str | None = None,
        **changes: Any,
    ) -> Order:
        """The ERP posted the shipment."""
        for line in self.lines:
            fields = {
                "ful_no": number or f"F7{self.number:05d}",
                "pos": line.number * 10,
                "doc_no": doc_no or self.doc_no,
                "ship_ref": shipment or self.shipment,
                "whs": "E1",
                "posted": erp_local(self.at(after)),
                "stat": "P",
                "modified": erp_local(self.at(after)),
                "row_version": 1,
                "qty": quantity or line.quantity,
            }
            self.scenario.say("erp", "fulfilment_lines", **(fields | changes))
        return self

    def invoiced(
        self,
        after: float = 120,
        shipment: str | None = None,
        quantity: int | None = None,
        number: str | None = None,
        **changes: Any,
    ) -> Order:
        """The ERP invoiced the shipment."""
        for line in self.lines:
            fields = {
                "inv_no": number or f"I9{self.number:05d}",
                "pos": line.number * 10,
                "doc_no": self.doc_no,
                "ship_ref": shipment or self.shipment,
                "inv_date": self.at(after).date(),
                "posted": erp_local(self.at(after)),
                "stat": "P",
                "amt": "62.50",
                "curr": "USD",
                "modified": erp_local(self.at(after)),
                "row_version": 1,
                "qty": quantity or line.quantity,
                "prc": line.price,
            }
            self.scenario.say("erp", "invoice_lines", **(fields | changes))
        return self

    def scanned(self, code: str, after: float = 180, event: str | None = None) -> Order:
        """The carrier reported an event of the package."""
        self.scenario.say(
            "carrier",
            "tracking_events",
            seq=1,
            event_id=event or f"EV{self.number}{code}",
            tracking_number=self.tracking,
            code=code,
            timestamp=self.at(after),
            reported_at=self.at(after),
            reference=self.shipment,
        )
        return self

    def healthy(self) -> Order:
        """Complete on all sides, through delivered and invoiced."""
        delivered = self.at(1440)
        self.oms(updated=delivered, delivered_at=delivered, line_status="DELIVERED")
        self.released().warehouse().shipped().fulfilled().invoiced()
        return self.scanned("PU").scanned("DL", after=1439)


def masters(scenario: Scenario, erp_pack: int = 12, wms_pack: int = 12) -> None:
    """One item, known to all."""
    say_product(scenario, "SKU-0001", ITEM)
    say_erp_item(scenario, "10-0001", ITEM, erp_pack)
    say_wms_item(scenario, "A0001", ITEM, wms_pack)


def say_product(scenario: Scenario, sku: str, gtin: str) -> None:
    scenario.say(
        "oms",
        "products",
        sku=sku,
        gtin=gtin,
        title="Widget",
        uom="EA",
        list_price="12.50",
        currency="USD",
        updated_at=ago(days=30),
        version=1,
    )


def say_erp_item(
    scenario: Scenario, item_no: str, gtin: str, pack: int, modified: datetime | None = None
) -> None:
    scenario.say(
        "erp",
        "items",
        item_no=item_no,
        gtin=gtin,
        descr="Widget",
        base_um="EA",
        case_qty=pack,
        list_prc="12.50",
        curr="USD",
        modified=erp_local(modified or ago(days=30)),
        row_version=1,
    )


def say_wms_item(
    scenario: Scenario,
    sku: str,
    gtin: str,
    pack: int,
    modified: datetime | None = None,
    seq: int = 1,
) -> None:
    scenario.say(
        "wms",
        "items",
        sku=sku,
        gtin=gtin,
        description="Widget",
        case_pack=pack,
        weight_grams=100,
        version=seq,
        updated_ms=wms_ms(modified or ago(days=30)),
        seq=seq,
    )


def wms_movement(
    scenario: Scenario, number: int, kind: str, quantity: int, ref: str, at: datetime = NOW
) -> None:
    scenario.say(
        "wms",
        "transactions",
        tran_id=number,
        sku="A0001",
        whse="EAST",
        tran_type=kind,
        qty=quantity,
        reason=None,
        ref=ref,
        tran_ms=wms_ms(at),
        seq=number,
    )


def erp_movement(
    scenario: Scenario,
    number: int,
    kind: str,
    quantity: int,
    ref: str,
    at: datetime = NOW,
    origin: str | None = None,
) -> None:
    scenario.say(
        "erp",
        "stock_movements",
        mv_no=number,
        item_no="10-0001",
        whs="E1",
        mv_type=kind,
        qty=quantity,
        ref=ref,
        posted=erp_local(at),
        modified=erp_local(at),
        origin=origin,
    )


def balances(scenario: Scenario, erp: int, wms: int, at: datetime) -> None:
    """Both systems' stock on hand of the item, as of one moment."""
    scenario.say("erp", "stock", item_no="10-0001", whs="E1", qoh=erp, as_of=erp_local(at))
    scenario.say(
        "wms",
        "inventory",
        sku="A0001",
        whse="EAST",
        on_hand=wms,
        allocated=0,
        damaged=0,
        as_of_ms=wms_ms(at),
    )


def _of_line(changes: dict[str, Any], number: int) -> dict[str, Any]:
    return {k: v[number] if isinstance(v, dict) else v for k, v in changes.items()}
