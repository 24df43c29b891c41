"""What the systems call an order, its documents and its parcel, as columns of text."""

from __future__ import annotations

from sandbox.scale.draw import Ints
from sandbox.scale.text import Text, digits, join

_OMS, _ERP, _WMS, _INVOICE = 100_000_000, 500_000_000, 300_000_000, 900_000_000
"""Added to an order's number for its names: room for 100 million."""


def order_digits(numbers: Ints) -> Text:
    """``100000001``: what the OMS's names of an order end in."""
    return digits(numbers + _OMS)


def order_numbers(numbers: Ints) -> Text:
    """``SO-100000001``."""
    return join("SO-", order_digits(numbers))


def purchase_numbers(numbers: Ints) -> Text:
    """``PO-77001``: the customer's own number of an order."""
    return join("PO-", digits(numbers + 77_000))


def erp_numbers(numbers: Ints) -> Text:
    """``E500000001``."""
    return join("E", digits(numbers + _ERP))


def wms_numbers(numbers: Ints) -> Text:
    """``W300000001``."""
    return join("W", digits(numbers + _WMS))


def shipment_numbers(numbers: Ints) -> Text:
    """``SHP-000000001``: a delivered order has one parcel, which has the order's number."""
    return join("SHP-", digits(numbers, 9))


def tracking_numbers(numbers: Ints) -> Text:
    """``TRK000000001``."""
    return join("TRK", digits(numbers, 9))


def fulfilment_numbers(numbers: Ints) -> Text:
    """``F000000001``."""
    return join("F", digits(numbers, 9))


def invoice_numbers(numbers: Ints) -> Text:
    """``I900000001``."""
    return join("I", digits(numbers + _INVOICE))
