"""What the OMS shows on each sales channel: how much of each item can be sold, and where."""

from __future__ import annotations

import re
from typing import Any

from sandbox.catalogue import CHANNELS, LOCATIONS, oms_sku
from sandbox.clock import iso_utc
from sandbox.tables import Document, Table
from sandbox.views.base import Books
from sandbox.views.wms import WmsView

_ITEM = re.compile(r"A\d+")


class OmsChannels(Books):
    """Each channel's copy of what the warehouse can promise. ``missed`` holds the units by which a
    copy is too high, because that channel never heard that they were gone."""

    def __init__(self, wms: WmsView) -> None:
        self.wms = wms
        self.missed = Table("missed_units", ("sku", "location", "channel"))
        super().__init__(self.missed)

    def on_availability_missed(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self._hold(data, data["qty"])

    def on_availability_refreshed(self, data: dict[str, Any], when: float, stamp: float) -> None:
        self._hold(data, 0)

    def published(self, now: float) -> list[Document]:
        """All positions as each channel sees them now; nothing is offered that is not there.

        Only of items under the number that they were given: a copy knows no others.
        """
        positions = map(self.wms.inventory.edit, self.wms.inventory.ids())
        return [
            self.offer(held, channel, now)
            for held in positions
            if held["Whse"] in LOCATIONS and _ITEM.fullmatch(held["Sku"])
            for channel in CHANNELS
        ]

    def offer(self, held: Document, channel: str, now: float) -> Document:
        """What a channel offers of a position of the warehouse's inventory."""
        sku, location = oms_sku(int(held["Sku"][1:])), held["Whse"]
        key = f"{sku}@{location}@{channel}"
        missed = self.missed.edit(key)["units"] if key in self.missed else 0
        free = held["OnHand"] - held["Allocated"] - held["Damaged"] + missed
        return {
            "sku": sku,
            "location": location,
            "channel": channel,
            "available": max(0, free),
            "asOf": iso_utc(now),
        }

    def _hold(self, data: dict[str, Any], units: int) -> None:
        sku = oms_sku(data["item"])
        position = {"sku": sku, "location": data["location"], "channel": data["channel"]}
        self.missed.put({**position, "units": units})
