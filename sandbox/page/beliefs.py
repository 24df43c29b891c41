"""What the systems hold about one order: their current documents, found by their own references."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sandbox.catalogue import THIRD_PARTY
from sandbox.distributor import Distributor
from sandbox.page.happened import OrderTruth
from sandbox.page.thirdparty import orders_sent, shipments_told
from sandbox.settings import WMS_CLOCK_FAST_SECONDS
from sandbox.tables import Document
from sandbox.views.erp import CANCELLED, ErpView
from sandbox.views.north import NorthErpView
from sandbox.views.oms import order_id
from sandbox.views.thirdparty import ThirdPartyView

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


def erp_of(distributor: Distributor, number: str) -> ErpView:
    """The ERP that has an order; the home region's if none has."""
    for view in distributor.views.values():
        if isinstance(view, NorthErpView) and view.orders.ids_by("ext_ref", number):
            return view
    return distributor.erp


def beliefs(distributor: Distributor, truth: OrderTruth) -> Beliefs:
    """All documents of an order."""
    number = truth.number
    oms, wms = distributor.oms, distributor.wms
    erp = erp_of(distributor, number)
    orders = erp.orders.by("ext_ref", number)
    doc_numbers = [order["doc_no"] for order in orders]
    hosts = doc_numbers if truth.is_in_oms else [truth.header["host_order"]]
    wms_orders = [order for host in hosts for order in wms.orders.by("HostOrder", host)]
    shipments = [
        shipment
        for order in wms_orders
        for shipment in wms.shipments.by("OrderNbr", order["OrderNbr"])
    ]
    third = distributor.views.get("threepl")
    if isinstance(third, ThirdPartyView) and truth.location == THIRD_PARTY:
        doc_no = truth.header["doc_no"]
        shipments = shipments_told(third, doc_no, truth.parcels)
        wms_orders = orders_sent(third, doc_no, bool(shipments))
    trackings = {parcel.tracking for parcel in truth.parcels.values()}
    trackings |= {shipment["TrackingNbr"] for shipment in shipments}
    record = order_id(number)
    return Beliefs(
        oms=oms.orders.edit(record) if record in oms.orders else None,
        erp_orders=orders,
        fulfilments=[row for doc in doc_numbers for row in erp.fulfilments.by("doc_no", doc)],
        invoices=[row for doc in doc_numbers for row in erp.invoices.by("doc_no", doc)],
        wms_orders=wms_orders,
        shipments=shipments,
        scans={
            tracking: [
                *distributor.carrier.scans.by("tracking-number", tracking),
                *distributor.pushes.scans.by("tracking-number", tracking),
            ]
            for tracking in sorted(trackings)
        },
    )


def wms_moment(clock_ms: int) -> float:
    """A time of the warehouse's fast clock as the moment it was."""
    return clock_ms / 1000 - WMS_CLOCK_FAST_SECONDS


def figure(value: Decimal | int | str) -> str:
    """A quantity without zeros that say nothing: ``5`` of ``5.000``."""
    return f"{Decimal(value).normalize():f}"
