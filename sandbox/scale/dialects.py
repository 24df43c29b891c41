"""All documents of a block and of the catalogue: which system has which."""

from __future__ import annotations

from sandbox.catalogue import draw_items
from sandbox.scale import carrier, erp, oms, wms
from sandbox.scale.documents import Documents
from sandbox.scale.draw import Block
from sandbox.scale.plan import ScalePlan


def block_documents(block: Block) -> list[Documents]:
    """All documents of a block."""
    return [
        oms.orders(block),
        erp.sales_orders(block),
        erp.fulfilments(block),
        erp.invoices(block),
        wms.orders(block),
        wms.shipments(block),
        carrier.scans(block),
    ]


def master_data(plan: ScalePlan) -> list[Documents]:
    """The catalogue, as OMS, ERP and WMS keep it."""
    catalogue = draw_items(plan.seed, plan.items)
    # A day before the first order, whose life began before its last change.
    at = plan.begin / 1000 - 6 * 86_400.0
    return [oms.products(catalogue, at), erp.items(catalogue, at), wms.items(catalogue, at)]
