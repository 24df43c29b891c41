"""What the ERP holds of accounting periods."""

from __future__ import annotations

from typing import Any

from sandbox.clock import local_naive
from sandbox.tables import Table
from sandbox.views.base import Books


class ErpPeriods(Books):
    """Months, open or closed; ``accrued``: received by their end and not yet billed."""

    def __init__(self) -> None:
        self.periods = Table("periods", ("period",), order_field="modified")
        super().__init__(self.periods)

    def on_period_opened(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self.periods.put(
            {
                "period": data["period"],
                "stat": "O",
                "opened": local_naive(when),
                "closed": None,
                "accrued": None,
                "curr": "USD",
                "modified": local_naive(stamp),
                "row_version": 1,
            }
        )

    def on_period_closed(self, data: dict[str, Any], when: float, stamp: float) -> None:
        period = self.periods.edit(data["period"])
        cents = data["accrued"]
        period["stat"] = "C"
        period["closed"] = local_naive(when)
        period["accrued"] = f"{cents // 100}.{cents % 100:02d}"
        period["modified"] = local_naive(stamp)
        period["row_version"] += 1
        self.periods.put(period)
