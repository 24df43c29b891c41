"""What ERP and WMS hold of transfers between warehouses: the order, and stock out and in."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sandbox.catalogue import ERP_WAREHOUSE, erp_item
from sandbox.clock import local_naive
from sandbox.tables import Table
from sandbox.views.base import Books
from sandbox.views.erp import ErpView, quantity
from sandbox.views.wms import WmsView

ORDERED, IN_TRANSIT, RECEIVED = 10, 20, 30


class ErpTransfers(Books):
    """Transfer orders; 351 and 352 in the stock ledger."""

    def __init__(self, erp: ErpView) -> None:
        self.erp = erp
        self.transfers = Table(
            "transfers", ("trf_no",), order_field="modified", indexes=("item_no",)
        )
        super().__init__(self.transfers)

    def on_transfer_ordered(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self.transfers.put(
            {
                "trf_no": data["transfer"],
                "item_no": erp_item(data["item"]),
                "from_whs": ERP_WAREHOUSE[data["from"]],
                "to_whs": ERP_WAREHOUSE[data["to"]],
                "qty": quantity(data["qty"]),
                "stat": ORDERED,
                "ordered": local_naive(when),
                "shipped": None,
                "received": None,
                "modified": local_naive(stamp),
                "row_version": 1,
            }
        )

    def on_transfer_shipped(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self._post(data, "shipped", IN_TRANSIT, when, stamp)
        self._move(data, data["from"], "351", -data["qty"], when, stamp)

    def on_transfer_received(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self._post(data, "received", RECEIVED, when, stamp)
        self._move(data, data["to"], "352", data["qty"], when, stamp)

    def _post(self, data: dict[str, Any], field: str, stat: int, when: float, stamp: float) -> None:
        transfer = self.transfers.edit(data["transfer"])
        transfer[field] = local_naive(when)
        transfer["stat"] = stat
        transfer["row_version"] += 1
        transfer["modified"] = local_naive(stamp)
        self.transfers.put(transfer)

    def _move(
        self,
        data: dict[str, Any],
        location: str,
        mv_type: str,
        qty: int,
        when: float,
        stamp: float,
    ) -> None:
        whs, ref = ERP_WAREHOUSE[location], data["transfer"]
        item_no = erp_item(data["item"])
        self.erp.post_movement(item_no, whs, mv_type, Decimal(qty), ref, None, when, stamp)


class WmsTransfers(Books):
    """Transactions XFRO and XFRI."""

    def __init__(self, wms: WmsView) -> None:
        self.wms = wms
        super().__init__()

    def on_transfer_shipped(self, data: dict[str, Any], when: float, stamp: float) -> None:
        item, ref = data["item"], data["transfer"]
        self.wms.transact(item, data["from"], "XFRO", -data["qty"], None, ref, when)

    def on_transfer_received(self, data: dict[str, Any], when: float, stamp: float) -> None:
        item, ref = data["item"], data["transfer"]
        self.wms.transact(item, data["to"], "XFRI", data["qty"], None, ref, when)
