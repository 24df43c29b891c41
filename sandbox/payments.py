"""What customers pay for an invoice, as events that the ERP hears of."""

from __future__ import annotations

from sandbox.events import Event
from sandbox.orders import Line, Order, OrderWriter


def paid(
    write: OrderWriter,
    order: Order,
    at: float,
    parcel: int = -1,
    lines: list[Line] | None = None,
    cents_off: int = 0,
) -> Event:
    """The invoice of a parcel is paid, or a part of it (``lines``).

    ``cents_off``: what arrives beyond or short of it.
    """
    shipment = order.shipments[parcel]
    number = write.numbers.next("payment")
    return write.add(
        order,
        at,
        "paid",
        {order.erp: at},
        payment=number,
        invoice=shipment.invoice,
        customer=order.customer,
        # A transfer has a number of the bank's own.
        bank_ref=f"B{number[3:]}",
        lines=lines or shipment.lines,
        cents_off=cents_off,
    )
