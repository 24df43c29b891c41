"""What the systems hold about one order: their current documents, found by their own references."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sandbox.distributor import Distributor
from sandbox.settings import WMS_CLOCK_FAST_SECONDS
from sandbox.tables import Document
from sandbox.views.erp import CANCELLED
from sandbox.views.oms import order_id

ERP_STATUS = {
    10: "open",
    20: "booked",
    30: "released",
    40: "fulfilled",
    50: "invoiced",
    90: "cancelled",
}


@dataclass(frozen=True)
class Beliefs:
    """Documents of one order by system. ``scans`` by tracking number, as reported."""

    oms: Document | None
    erp_orders: list[Document]
    fulfilments: list[Document]
    invoices: list[Document]
    wms_orders: list[Document]
    shipments: list[Document]
    scans: dict[str, list[Document]]

    @property
    def erp(self) -> Document | None:
        """The ERP's booking of the order: the first that stands, else the first of all."""
        standing = [order for order in self.erp_orders if order["stat"] != CANCELLED]
        return next(iter(standing or self.erp_orders), None)

    @property
    def wms(self) -> Document | None:
        """The warehouse's order: the first that stands, else the first of all."""
        standing = [order for order in self.wms_orders if order["Status"] != "CANCELED"]
        return next(iter(standing or self.wms_orders), None)

    def names(self) -> set[str]:
        """Every number under which a system knows the order or one of its documents."""
        return {
            *([self.oms["id"], self.oms["orderNumber"]] if self.oms else []),
            *(order["doc_no"] for order in self.erp_orders),
            *(document["ful_no"] for document in self.fulfilments),
            *(document["inv_no"] for document in self.invoices),
            *(order["OrderNbr"] for order in self.wms_orders),
            *(shipment["ShipNbr"] for shipment in self.shipments),
            *self.scans,
        }


def beliefs(distributor: Distributor, number: str, trackings: set[str]) -> Beliefs:
    """All documents of an order. ``trackings``: parcels that the carrier may know."""
    oms, erp, wms, carrier = (
        distributor.oms,
        distributor.erp,
        distributor.wms,
        distributor.carrier,
    )
    orders = erp.orders.by("ext_ref", number)
    doc_numbers = [order["doc_no"] for order in orders]
    wms_orders = [order for doc in doc_numbers for order in wms.orders.by("HostOrder", doc)]
    shipments = [
        shipment
        for order in wms_orders
        for shipment in wms.shipments.by("OrderNbr", order["OrderNbr"])
    ]
    trackings = trackings | {shipment["TrackingNbr"] for shipment in shipments}
    record = order_id(number)
    return Beliefs(
        oms=oms.orders.edit(record) if record in oms.orders else None,
        erp_orders=orders,
        fulfilments=[row for doc in doc_numbers for row in erp.fulfilments.by("doc_no", doc)],
        invoices=[row for doc in doc_numbers for row in erp.invoices.by("doc_no", doc)],
        wms_orders=wms_orders,
        shipments=shipments,
        scans={
            tracking: carrier.scans.by("tracking-number", tracking)
            for tracking in sorted(trackings)
        },
    )


def wms_moment(clock_ms: int) -> float:
    """A time of the warehouse's fast clock as the moment it was."""
    return clock_ms / 1000 - WMS_CLOCK_FAST_SECONDS


def figure(value: Decimal | int | str) -> str:
    """A quantity without zeros that say nothing: ``5`` of ``5.000``."""
    return f"{Decimal(value).normalize():f}"
