"""What OMS, WMS and ERP hold of returns: the authorisation, the goods, the credit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sandbox.catalogue import ERP_WAREHOUSE, erp_item, oms_sku, wms_sku
from sandbox.clock import iso_utc, local_naive
from sandbox.tables import Table
from sandbox.views.base import Books
from sandbox.views.erp import ErpView, price, quantity
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
    """Credit memos, and the goods back in stock (653)."""

    def __init__(self, erp: ErpView) -> None:
        self.erp = erp
        self.memos = Table(
            "credit_memos", ("crm_no",), order_field="modified", indexes=("doc_no", "rma_no")
        )
        super().__init__(self.memos)

    def on_return_received(self, data: dict[str, Any], when: float, stamp: float) -> None:
        whs, ref = ERP_WAREHOUSE[data["location"]], data["return"]
        for line in data["lines"]:
            item_no, qty = erp_item(line["item"]), Decimal(line["qty"])
            self.erp.post_movement(item_no, whs, "653", qty, ref, data["reason"], when, stamp)

    def on_return_credited(self, data: dict[str, Any], when: float, stamp: float) -> None:
        cents = sum(line["qty"] * line["price"] for line in data["lines"])
        self.memos.put(
            {
                "crm_no": data["credit"],
                "rma_no": data["return"],
                "doc_no": data["doc_no"],
                "inv_no": data["invoice"],
                "posted": local_naive(when),
                "stat": "P",
                "amt": f"{cents // 100}.{cents % 100:02d}",
                "curr": "USD",
                "modified": local_naive(stamp),
                "row_version": 1,
                "lines": [
                    {
                        "pos": line["line"] * 10,
                        "qty": quantity(line["qty"]),
                        "prc": price(line["price"]),
                    }
                    for line in data["lines"]
                ],
            }
        )


def _return_id(data: dict[str, Any]) -> str:
    return "ret_" + data["return"][4:]
