"""The kinds of decoys: what looks wrong and is not. One module a family."""

from sandbox.decoys import finance, inventory, order, shipment, supplier, time
from sandbox.faults.kind import Kind

DECOYS: tuple[Kind, ...] = (
    *time.KINDS,
    *order.KINDS,
    *shipment.KINDS,
    *finance.KINDS,
    *inventory.KINDS,
    *supplier.KINDS,
)
