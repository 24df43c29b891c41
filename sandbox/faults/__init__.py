"""The kinds of faults: what goes wrong, and the truth about it. One module a family."""

from sandbox.faults import (
    correction,
    drop_shipping,
    finance,
    identity,
    inventory,
    order,
    schema,
    shipment,
    supplier,
    time,
    transport,
)
from sandbox.faults.kind import Kind

FAULTS: tuple[Kind, ...] = (
    *order.KINDS,
    *transport.KINDS,
    *shipment.KINDS,
    *finance.KINDS,
    *inventory.KINDS,
    *supplier.KINDS,
    *identity.KINDS,
    *schema.KINDS,
    *time.KINDS,
    *correction.KINDS,
    *drop_shipping.KINDS,
)
