"""The kinds of decoys: what looks wrong and is not. One module a family."""

from sandbox.decoys import (
    correction,
    drop_shipping,
    finance,
    inventory,
    order,
    schema,
    shipment,
    supplier,
    time,
    transport,
)
from sandbox.faults.kind import Kind

DECOYS: tuple[Kind, ...] = (
    *time.KINDS,
    *transport.KINDS,
    *schema.KINDS,
    *order.KINDS,
    *shipment.KINDS,
    *finance.KINDS,
    *inventory.KINDS,
    *supplier.KINDS,
    *drop_shipping.KINDS,
    *correction.KINDS,
)
