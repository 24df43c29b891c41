"""The life of one return, as events: authorised, received, credited, and who hears of it when."""

from __future__ import annotations

from typing import Any

from sandbox.catalogue import LOCATIONS, THIRD_PARTY
from sandbox.events import Event
from sandbox.orders import Line, Order, OrderWriter, lag

REASONS = ("WRONG_SIZE", "NOT_NEEDED", "DEFECT")
"""Why goods come back."""

GOODWILL = "GOODWILL"
"""Why something is credited and nothing comes back: granted by whoever may."""


def credit_of(order: Order, line: Line, qty: int, reason: str) -> dict[str, Any]:
    """What a credit of ``qty`` eaches of a line of the newest parcel tells, but for its number."""
    return {
        "invoice": order.shipments[-1].invoice,
        "reason": reason,
        "lines": [{key: line[key] for key in ("line", "item", "price")} | {"qty": qty}],
    }


def return_of(
    write: OrderWriter, order: Order, line: Line, qty: int, reason: str
) -> dict[str, Any]:
    """What all events of the return of ``qty`` eaches of a line tell."""
    # A third party takes nothing back.
    location = LOCATIONS[0] if order.location == THIRD_PARTY else order.location
    number = write.numbers.next("return")
    return {"return": number, "location": location, **credit_of(order, line, qty, reason)}


def authorised(write: OrderWriter, order: Order, at: float, data: dict[str, Any]) -> Event:
    """The OMS lets the customer send it back; the warehouse is told to expect it."""
    oms = at + lag(write.rng, "oms")
    seen = {"oms": oms, "wms": oms + lag(write.rng, "wms_order")}
    return write.add(order, at, "return_authorised", seen, **data)


def received(write: OrderWriter, order: Order, at: float, data: dict[str, Any]) -> Event:
    """The goods are back in the warehouse; ERP and OMS are told."""
    wms = at + lag(write.rng, "wms")
    erp = wms + lag(write.rng, "erp_stock")
    seen = {"wms": wms, "erp": erp, "oms": wms + lag(write.rng, "oms_status")}
    return write.add(order, at, "return_received", seen, **data)


def credited(write: OrderWriter, order: Order, at: float, data: dict[str, Any]) -> Event:
    """The ERP credits it. Without a return nobody else is told."""
    seen = {"erp": at + 1.0}
    if "return" in data:
        seen["oms"] = seen["erp"] + lag(write.rng, "oms_status")
    credit = write.numbers.next("credit")
    return write.add(order, at, "return_credited", seen, **data, credit=credit)
