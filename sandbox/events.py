"""What happened in the world, and which system heard of it when: the one source of all documents.

Kinds and their data (``order``, ``doc_no``, ``wms_order`` name the order in each system; a line is
``{"line": 1, "item": 7, "qty": 5, "price": 1250, "uom": "EA"}`` with the price in cents):

    item_created        item, gtin, title, case_pack, weight, price
    order_placed        customer, po, channel, lines                       OMS
    order_accepted      the same                                           OMS, ERP (books it)
                        backordered: lines that wait for stock             OMS, ERP
                        unanswered: nobody says whether they are reserved  OMS
                        drop_shipped: lines that a supplier ships          OMS
                        held: the ERP does not book it yet                 ERP
                        ship_to: another address than was ordered          ERP
    lines_reserved      lines (numbers) that had waited for stock          OMS
    credit_checked      a held order is booked                             ERP
    hold_bypassed       booked although its credit was never checked       ERP
    order_released      location, lines                                    ERP, WMS (new order)
    order_picked, order_packed                                             WMS
    shipped             shipment, tracking, fulfilment, location, lines    WMS, ERP, OMS
    fulfilment_reversed fulfilment                                         ERP
    invoiced            invoice, shipment, lines, cents_off, dated         ERP
    invoice_voided      invoice                                            ERP
    parcel_scanned      tracking, shipment, code, zone, reason, expected_at   carrier; DL, EX: OMS
    lines_cancelled     lines (numbers); kept_reserved: in the OMS         OMS, ERP, WMS
    line_repriced       line, price                                        ERP, OMS
    line_quantity_changed line, qty: eaches                                OMS, ERP
    line_part_lost      line, qty: open eaches that no split part holds    ERP
    line_substituted    line, item: another item than was ordered          OMS, ERP
    stock_received      ref, item, location, qty                           WMS, ERP
    stock_adjusted      ref, item, location, qty, reason                   WMS, ERP
    stock_drifted       item, location, qty: on hand moves, no movement    ERP, WMS
                        field "qblk": what is blocked does                 ERP
    stock_miscounted    as stock_adjusted: booked, but no unit moved       WMS, ERP
    stock_blocked       ref, item, location, qty: damaged, stays on hand   WMS, ERP
    stock_revalued      ref, item, location: only its value changes        ERP
    shipment_resent     shipment: same document once more in the feed      WMS
    shipment_redated    shipment, shipped_at: wrong until corrected        WMS
    last_scan_resent    tracking: its newest scan once more                carrier
    item_repriced       item, gtin, price                                  ERP, OMS
    item_reweighed      item, weight                                       WMS
    item_blocked        item: may not be sold any more                     ERP, WMS
    item_doubled        item, sku: the same item under another number      WMS
    record_retold       entity, record, fields: another version of one     any one
    records_resent      entity, records: all their versions once more      any one with feeds
    version_resent      entity, record, nth: an old version comes late     any one with feeds
    feed_disturbed, target_behaves   see disturbances.py                   none

With a third-party warehouse ("threepl" instead of WMS for what is its own):

    release_arrived, notice_arrived   what was sent to it, at its translator
    stock_advised       advice, location, as_of, on_hand (item, eaches)

Of business processes that not every world tells of (``Settings.processes``):

    purchase_ordered, purchase_acknowledged   purchase, supplier, location, lines, promised_at   ERP
    purchase_arrived    the order's interchange at the supplier            suppliers
    shipment_announced  the same, notice                                   WMS, suppliers
                        location None: to the customer, tracking           suppliers
    lines_bought        lines: purchase and its line by order line         ERP
                        shipped with location None: by the supplier   suppliers, ERP, OMS
    stock_received      also purchase, notice, line                        WMS, ERP
    supplier_invoiced   the same, invoice                                  ERP, suppliers
    transfer_ordered, transfer_shipped, transfer_received
                        transfer, item, qty, from, to                      ERP, WMS
    stock_counted       count, item, location, held, counted, ref          WMS
    return_authorised, return_received, return_credited
                        return, location, invoice, reason, lines, credit   OMS, WMS, ERP
                        a credit without return: only lets something to the customer   ERP
    paid                payment, invoice, customer, bank_ref, lines, cents_off   ERP
    availability_missed, availability_refreshed   item, location, channel, qty  OMS
    period_opened, period_closed   period, accrued (cents)                 ERP
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Event:
    """One thing that happened at ``at``.

    ``seen`` maps each system that ever hears of it to the moment at which that system records it;
    a system that is not in it never hears (a lost message). ``told`` overrides data for one system
    (a wrong message). An event that only one system hears and no other may be its own invention.
    """

    at: float
    kind: str
    subject: str
    data: dict[str, Any]
    seen: dict[str, float]
    told: dict[str, dict[str, Any]] = field(default_factory=dict)

    def as_told_to(self, system: str) -> dict[str, Any]:
        """The data as one system hears them."""
        override = self.told.get(system)
        return {**self.data, **override} if override else self.data
