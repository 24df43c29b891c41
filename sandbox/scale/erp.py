"""Documents of the ERP: orders, fulfilments and invoices of a block, items of the catalogue."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sandbox.catalogue import ERP_WAREHOUSE, LOCATIONS, Item, erp_item
from sandbox.clock import local_naive
from sandbox.scale.documents import Documents
from sandbox.scale.draw import NEVER, Block, Ints
from sandbox.scale.names import (
    erp_numbers,
    fulfilment_numbers,
    invoice_numbers,
    order_numbers,
    purchase_numbers,
    shipment_numbers,
)
from sandbox.scale.plan import (
    BOOKED,
    CANCELLED_BOOKED,
    CANCELLED_RELEASED,
    DELIVERED,
    RELEASED,
)
from sandbox.scale.text import (
    Text,
    chosen,
    digits,
    grouped,
    join,
    local,
    money,
    quoted,
    taken,
)
from sandbox.tables import to_json
from sandbox.views import erp as codes

_STATUS = {
    BOOKED: codes.BOOKED,
    CANCELLED_BOOKED: codes.CANCELLED,
    CANCELLED_RELEASED: codes.CANCELLED,
    RELEASED: codes.RELEASED,
    DELIVERED: codes.INVOICED,
}
_WAREHOUSES = tuple(ERP_WAREHOUSE[location] for location in LOCATIONS)


def items(catalogue: list[Item], at: float) -> Documents:
    """The catalogue as it was from a moment on (seconds since 1970)."""
    texts = [_item(item, at) for item in catalogue]
    return Documents("erp", "items", pa.array(texts), np.full(len(catalogue), int(at) * 1000))


def _item(item: Item, at: float) -> str:
    return (
        to_json(
            {
                "item_no": erp_item(item.number),
                "gtin": item.gtin,
                "descr": item.title,
                "base_um": "EA",
                "case_qty": item.case_pack,
                "wt_g": item.weight,
                "sts": "A",
                "list_prc": codes.price(item.price),
                "curr": "USD",
                "modified": local_naive(at),
                "row_version": 1,
            }
        )
        + "\n"
    )


def sales_orders(block: Block) -> Documents:
    """Orders that were booked, by their last change in the ERP."""
    lines, state = block.lines, block.state
    changed = block.heard["erp"].max(axis=1)
    rows = _in_order_of(changed, np.flatnonzero(np.isin(state, list(_STATUS))))
    status_of = np.zeros(max(_STATUS) + 1, dtype=np.int64)
    status_of[list(_STATUS)] = list(_STATUS.values())
    status = digits(status_of[state])
    is_cancelled = status_of[state] == codes.CANCELLED
    ordered = _quantity(lines.qty)
    line = join(
        _positions(block),
        ',"ext_line":',
        digits(lines.number),
        ',"item_no":"10-',
        digits(lines.item, 4),
        '","ord_qty":"',
        ordered,
        '","open_qty":"',
        _quantity(np.where(np.isin(state, (BOOKED, RELEASED))[lines.order], lines.qty, 0)),
        '","bo_qty":"0.000","shp_qty":"',
        _quantity(np.where((state == DELIVERED)[lines.order], lines.qty, 0)),
        '","can_qty":"',
        _quantity(np.where(is_cancelled[lines.order], lines.qty, 0)),
        '","um":"EA","prc":"',
        money(lines.price),
        '00","stat":',
        taken(status, lines.order),
        ',"cancelled":',
        taken(quoted(local(block.told("erp", "lines_cancelled"))), lines.order),
        "}",
    )
    number = block.number[rows]
    released = block.told("erp", "order_released")
    warehouse = quoted(chosen(_WAREHOUSES, block.location))
    booked = quoted(local(block.told("erp", "order_accepted")[rows]))
    texts = join(
        '{"doc_no":"',
        erp_numbers(number),
        '","ext_ref":"',
        order_numbers(number),
        '","cust_no":"',
        digits(block.customer[rows], 5),
        '","cust_po":"',
        purchase_numbers(number),
        '","curr":"USD","ship_to":null,"whs":',
        taken(pc.if_else(pa.array(released == NEVER), "null", warehouse), rows),
        ',"stat":',
        taken(status, rows),
        ',"entered":',
        booked,
        ',"held":null,"validated":null,"booked":',
        booked,
        ',"released":',
        quoted(local(released[rows])),
        ',"cancelled":',
        quoted(local(block.told("erp", "lines_cancelled")[rows])),
        ',"modified":"',
        local(changed[rows]),
        '","row_version":',
        digits((block.heard["erp"][rows] != NEVER).sum(axis=1)),
        ',"origin":null,"lines":[',
        taken(grouped(line, lines.first), rows),
        "]}\n",
    )
    return Documents("erp", "sales_orders", texts, _seconds(changed[rows]))


def fulfilments(block: Block) -> Documents:
    """What was shipped, as the ERP posted it."""
    posted = block.told("erp", "shipped")
    rows = _in_order_of(posted, np.flatnonzero(posted != NEVER))
    number, when = block.number[rows], local(posted[rows])
    line = join(_positions(block), ',"qty":"', _quantity(block.lines.qty), '"}')
    texts = join(
        '{"ful_no":"',
        fulfilment_numbers(number),
        '","doc_no":"',
        erp_numbers(number),
        '","ship_ref":"',
        shipment_numbers(number),
        '","whs":"',
        chosen(_WAREHOUSES, block.location[rows]),
        '","posted":"',
        when,
        '","stat":"P","reversed":null,"modified":"',
        when,
        '","row_version":1,"origin":null,"lines":[',
        taken(grouped(line, block.lines.first), rows),
        "]}\n",
    )
    return Documents("erp", "fulfilments", texts, _seconds(posted[rows]))


def invoices(block: Block) -> Documents:
    """What was billed, at the prices of the order."""
    posted, lines = block.told("erp", "invoiced"), block.lines
    rows = _in_order_of(posted, np.flatnonzero(posted != NEVER))
    number, when = block.number[rows], local(posted[rows])
    line = join(
        _positions(block), ',"qty":"', _quantity(lines.qty), '","prc":"', money(lines.price), '00"}'
    )
    texts = join(
        '{"inv_no":"',
        invoice_numbers(number),
        '","doc_no":"',
        erp_numbers(number),
        '","ship_ref":"',
        shipment_numbers(number),
        '","inv_date":"',
        pc.utf8_slice_codeunits(when, 0, 10),
        '","posted":"',
        when,
        '","stat":"P","voided":null,"amt":"',
        money(np.add.reduceat(lines.qty * lines.price, lines.first[:-1])[rows]),
        '","curr":"USD","modified":"',
        when,
        '","row_version":1,"origin":null,"lines":[',
        taken(grouped(line, lines.first), rows),
        "]}\n",
    )
    return Documents("erp", "invoices", texts, _seconds(posted[rows]))


def _positions(block: Block) -> Text:
    """How each line begins: the OMS's first line is position 10."""
    return join('{"pos":', digits(block.lines.number * 10))


def _quantity(eaches: Ints) -> Text:
    """``5.000``."""
    return join(digits(eaches), ".000")


def _in_order_of(moments: Ints, rows: Ints) -> Ints:
    """Rows in the order of a moment."""
    return rows[np.argsort(moments[rows], kind="stable")]


def _seconds(moments: Ints) -> Ints:
    """Moments as the ERP tells them, without parts of a second; still in milliseconds."""
    return moments // 1000 * 1000
