"""What OMS, WMS and ERP hold of returns: the authorisation and the goods."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sandbox.catalogue import ERP_WAREHOUSE, erp_item, oms_sku, wms_sku
from sandbox.clock import iso_utc
from sandbox.tables import Table
from sandbox.views.base import Books
from sandbox.views.erp import ErpView
from sandbox.views.oms import order_id
from sandbox.views.wms import WmsView, clock_ms


class OmsReturns(Books):
    """Returns from the authorisation to the credit."""

    def __init__(self) -> None:
        self.returns = Table("returns", ("id",), order_field="updatedAt", indexes=("orderNumber",))
        super().__init__(self.returns)

    def on_return_authorised(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self.returns.put(
            {
                "id": _return_id(data),
                "rmaNumber": data["return"],
                "orderId": order_id(data["order"]),
                "orderNumber": data["order"],
                "status": "AUTHORIZED",
                "reason": data["reason"],
                "authorizedAt": iso_utc(when),
                "receivedAt": None,
                "creditedAt": None,
                "updatedAt": iso_utc(stamp),
                "version": 1,
                "lines": [
                    {
                        "lineNo": line["line"],
                        "sku": oms_sku(line["item"]),
                        "qty": line["qty"],
                        "uom": "EA",
                    }
                    for line in data["lines"]
                ],
            }
        )

    def on_return_received(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self._set(data, "RECEIVED", "receivedAt", when, stamp)

    def on_return_credited(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self._set(data, "CREDITED", "creditedAt", when, stamp)

    def _set(
        self, data: dict[str, Any], status: str, field: str, when: float, stamp: float
    ) -> None:
        document = self.returns.edit(_return_id(data))
        document["status"] = status
        document[field] = iso_utc(when)
        document["version"] += 1
        document["updatedAt"] = iso_utc(stamp)
        self.returns.put(document)


class WmsReturns(Books):
    """Returns expected and received; RTRN in the transactions."""

    def __init__(self, wms: WmsView) -> None:
        self.wms = wms
        self.returns = Table("returns", ("RmaNbr",), sequence_field="Seq", indexes=("HostOrder",))
        super().__init__(self.returns)

    def on_return_authorised(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self.returns.put(
            {
                "RmaNbr": data["return"],
                "HostOrder": data["doc_no"],
                "Whse": data["location"],
                "Status": "EXPECTED",
                "CreatedMs": clock_ms(when),
                "ReceivedMs": None,
                "UpdatedMs": clock_ms(stamp),
                "Version": 1,
                "Lines": [
                    {
                        "LineNbr": position,
                        "HostLine": line["line"] * 10,
                        "Sku": wms_sku(line["item"]),
                        "Qty": line["qty"],
                        "Uom": "EA",
                        "Disposition": None,
                    }
                    for position, line in enumerate(data["lines"], start=1)
                ],
            }
        )

    def on_return_received(self, data: dict[str, Any], when: float, stamp: float) -> None:
        document = self.returns.edit(data["return"])
        document["Status"] = "RECEIVED"
        document["ReceivedMs"] = clock_ms(when)
        for line in document["Lines"]:
            line["Disposition"] = "RESTOCK"
        self.wms.touch(self.returns, document, stamp)
        for line in data["lines"]:
            item, qty = line["item"], line["qty"]
            self.wms.transact(item, data["location"], "RTRN", qty, None, data["return"], when)


class ErpReturns(Books):
    """The goods back in stock (653); what is credited for them is in the settlements."""

    def __init__(self, erp: ErpView) -> None:
        self.erp = erp
        super().__init__()

    def on_return_received(self, data: dict[str, Any], when: float, stamp: float) -> None:
        whs, ref = ERP_WAREHOUSE[data["location"]], data["return"]
        for line in data["lines"]:
            item_no, qty = erp_item(line["item"]), Decimal(line["qty"])
            self.erp.post_movement(item_no, whs, "653", qty, ref, data["reason"], when, stamp)


def _return_id(data: dict[str, Any]) -> str:
    return "ret_" + data["return"][4:]
