"""The kinds of faults: what goes wrong, and the truth about it. One module a family."""

from sandbox.faults import finance, identity, inventory, order, schema, shipment, transport
from sandbox.faults.kind import Kind

FAULTS: tuple[Kind, ...] = (
    *order.KINDS,
    *transport.KINDS,
    *shipment.KINDS,
    *finance.KINDS,
    *inventory.KINDS,
    *identity.KINDS,
    *schema.KINDS,
)
