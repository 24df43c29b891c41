"""What the WMS holds of cycle counts."""

from __future__ import annotations

from typing import Any

from sandbox.catalogue import wms_sku
from sandbox.tables import Table
from sandbox.views.base import Books
from sandbox.views.wms import clock_ms


class WmsCounts(Books):
    """One count of one position; ``AdjRef`` is the adjustment that follows it."""

    def __init__(self) -> None:
        self.counts = Table("counts", ("CountNbr",), sequence_field="Seq", indexes=("AdjRef",))
        super().__init__(self.counts)

    def on_stock_counted(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self.counts.put(
            {
                "CountNbr": data["count"],
                "Sku": wms_sku(data["item"]),
                "Whse": data["location"],
                "SystemQty": data["held"],
                "CountedQty": data["counted"],
                "CountedMs": clock_ms(when),
                "AdjRef": data["ref"],
            }
        )
