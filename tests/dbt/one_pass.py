"""Every rule once broken and once kept, with what looks broken but is not, in one warehouse."""

from __future__ import annotations

from datetime import timedelta

from scenario import NOW, Scenario, ago, erp_local, wms_ms
from trade import (
    Line,
    Order,
    balances,
    erp_movement,
    masters,
    say_erp_item,
    say_product,
    say_wms_item,
    wms_movement,
)

DRIFTED_ITEM = "00012345600029"

# (rule, object) that must be open after two passes, and nothing else.
EXPECTED_OPEN = {
    ("O02", "SO-200001/1"),
    ("O02", "SO-200001/2"),
    ("O03", "E5900002"),
    ("O05", "SO-200003/1"),
    ("O04", "SO-200004/1"),
    ("O04", "SO-200005/1"),
    ("O06", "SO-200006/1"),
    ("S01", "SO-200007/1"),
    ("F01", "SO-200007/1"),
    ("S03", "SO-200008/1"),
    ("S02", "SO-200009/1"),
    ("S04", "TRK0200010"),
    ("S05", "SO-200011/1"),
    ("F01", "SO-200012/1"),
    ("F02", "SO-200013/1"),
    ("F03", "I9900014"),
    ("F02Q", "SO-200014/1"),
    ("D03", "carrier.tracking_events.code=ZZ"),
    ("I11", "ADJ-000001"),
    ("I12", "RC-000002"),
    ("I01", "00012345600012@EAST"),
    ("M02", DRIFTED_ITEM),
    ("O07", "SO-200021/1"),
    ("S06", "TRK0200022"),
    ("O08C", "TRK0200023"),
    ("O08", "SO-200024/1"),
    ("O08E", "SO-200025/1"),
    ("O08M", "SO-200026/1"),
    ("S07", "SO-200027/1"),
    ("O09W", "SO-200028/1"),
    ("O09C", "TRK0200029"),
    ("O03N", "ord_200031"),
    ("O06Q", "SO-200032/1"),
    ("O09R", "SO-200033/1"),
    ("S04L", "TRK0200034"),
    ("S07I", "SO-200035/1"),
    ("S01I", "SO-200035/1"),
    ("S01I", "SO-200036/1"),
    ("S06T", "TRK0200037"),
}


def broken_and_kept() -> Scenario:
    """All faults and decoys, read in two passes half a minute apart."""
    scenario = Scenario()
    masters(scenario)
    say_erp_item(scenario, "10-0002", DRIFTED_ITEM, pack=24)
    say_wms_item(scenario, "A0002", DRIFTED_ITEM, pack=20, seq=2)
    Order(scenario, 100001, ago(days=5)).healthy()
    _orders(scenario)
    _shipments(scenario)
    _sequences(scenario)
    _identities(scenario)
    _decoys(scenario)
    _stock(scenario)
    scenario.read(NOW)
    balances(scenario, erp=97, wms=104, at=NOW + timedelta(seconds=30))
    scenario.read(NOW + timedelta(seconds=30))
    return scenario


def _orders(scenario: Scenario) -> None:
    Order(scenario, 200001, ago(days=2), [Line(1), Line(2)]).oms()
    doubled = Order(scenario, 200002, ago(days=2)).oms().erp()
    doubled.erp(doc_no="E5900002", after=9)
    Order(scenario, 200003, ago(days=2)).oms(cancelled_at=ago(days=1), updated=ago(days=1)).erp()
    Order(scenario, 200004, ago(days=2)).oms(unit_price="11.000000").erp()
    Order(scenario, 200005, ago(days=2)).oms().erp(ord_qty=7)
    Order(scenario, 200006, ago(days=2)).oms().released()


def _shipments(scenario: Scenario) -> None:
    Order(scenario, 200007, ago(days=3)).oms().released().warehouse().shipped().scanned("PU")
    unshipped = Order(scenario, 200008, ago(days=3)).oms().released().warehouse()
    unshipped.fulfilled()
    short = Order(scenario, 200009, ago(days=3)).oms().released().warehouse()
    short.shipped(quantity=3).fulfilled().invoiced(quantity=3).scanned("PU")
    silent = Order(scenario, 200010, ago(days=3)).oms().released().warehouse()
    silent.shipped().fulfilled().invoiced()
    untold = Order(scenario, 200011, ago(days=3)).oms().released().warehouse().shipped()
    untold.fulfilled().invoiced().scanned("PU").scanned("DL", after=1400)
    unbilled = Order(scenario, 200012, ago(days=3)).oms().released().warehouse().shipped()
    unbilled.fulfilled().scanned("PU")
    Order(scenario, 200013, ago(days=3)).oms().released().warehouse().invoiced()
    twice = Order(scenario, 200014, ago(days=3)).oms().released().warehouse().shipped()
    twice.fulfilled().invoiced().invoiced(number="I9900014", after=130).scanned("PU")


def _sequences(scenario: Scenario) -> None:
    """Steps in an impossible order, and those that do not come to an end."""
    hasty = Order(scenario, 200021, ago(days=2)).oms()
    moment = erp_local(hasty.at(41))
    hasty.erp(booked=moment, released=moment, modified=moment, stat=30, line_stat=30, whs="E1")
    hasty.warehouse(after=15)
    before = Order(scenario, 200022, ago(days=3))
    before.oms(updated=before.at(65), delivered_at=before.at(65))
    before.released().warehouse().shipped(after=200).fulfilled(after=205).invoiced(after=260)
    before.scanned("PU", after=50).scanned("DL", after=60)
    turned = Order(scenario, 200023, ago(days=3))
    turned.oms(updated=turned.at(1301), delivered_at=turned.at(1301))
    turned.released().warehouse().shipped().fulfilled().invoiced()
    turned.scanned("PU", after=1400).scanned("DL", after=1300)
    packed = Order(scenario, 200024, ago(days=2)).oms().released()
    packed.warehouse(picked_ms=wms_ms(packed.at(50)), packed_ms=wms_ms(packed.at(30)))
    booked = Order(scenario, 200025, ago(days=2)).oms()
    booked.erp(entered=erp_local(booked.at(30)))
    placed = Order(scenario, 200026, ago(days=2))
    placed.oms(placed_at=placed.at(30)).erp()
    generous = Order(scenario, 200027, ago(days=3)).oms().released().warehouse()
    generous.shipped(quantity=7).fulfilled(quantity=7).invoiced(quantity=7).scanned("PU")
    Order(scenario, 200028, ago(days=7)).oms().released().warehouse()
    lost = Order(scenario, 200029, ago(days=14)).oms().released().warehouse().shipped()
    lost.fulfilled().invoiced().scanned("PU")


def _identities(scenario: Scenario) -> None:
    """One number for two things, another item, and what was begun and left lying."""
    for number, days in ((200030, 4), (200031, 3)):
        again = Order(scenario, number, ago(days=days)).oms(customer_po="PO-AGAIN").released()
        again.warehouse().shipped().fulfilled().invoiced().scanned("PU")
    Order(scenario, 200032, ago(days=2)).oms().released().warehouse(ord_qty=4)
    Order(scenario, 200033, ago(days=6)).oms().erp()
    Order(scenario, 200034, ago(days=4)).oms().released().warehouse().scanned("OC", after=60)
    swapped = Order(scenario, 200035, ago(days=3)).oms().released().warehouse()
    swapped.shipped(sku="A0002").fulfilled().invoiced().scanned("PU")
    say_product(scenario, "SKU-0002", DRIFTED_ITEM)
    # The customer's system agreed to another item, and the ERP was never told.
    agreed = Order(scenario, 200036, ago(days=3)).oms(sku="SKU-0002").released()
    agreed.warehouse(sku="A0002").shipped(sku="A0002").fulfilled().invoiced().scanned("PU")
    one = Order(scenario, 200037, ago(days=3)).oms().released().warehouse()
    one.shipped().fulfilled().invoiced().scanned("PU")
    other = Order(scenario, 200038, ago(days=3)).oms().released().warehouse()
    other.shipped(tracking_nbr=one.tracking, after=62).fulfilled(after=66).invoiced()


def _decoys(scenario: Scenario) -> None:
    # Shipped a moment ago: within grace.
    Order(scenario, 300001, ago(minutes=80)).oms().released().warehouse().shipped()
    # Cancelled by the customer after it had left: a return, not a cancellation.
    gone = Order(scenario, 300002, ago(days=3))
    gone.oms(cancelled_at=ago(days=1), updated=ago(days=1)).released().warehouse().shipped()
    gone.fulfilled().invoiced().scanned("PU")
    # One line in two shipments.
    parts = Order(scenario, 300003, ago(days=3)).oms().released().warehouse()
    for shipment, quantity, after in [("SHP-300031", 2, 60), ("SHP-300032", 3, 90)]:
        parts.shipped(shipment=shipment, quantity=quantity, after=after)
        parts.fulfilled(
            shipment=shipment, quantity=quantity, number=f"F{shipment[4:]}", after=after + 5
        )
        parts.invoiced(
            shipment=shipment, quantity=quantity, number=f"I{shipment[4:]}", after=after + 60
        )
    parts.scanned("PU")
    # Shipped in a case of twelve, fulfilled in eaches.
    cases = Order(scenario, 300004, ago(days=3), [Line(1, quantity=12)]).oms().released()
    cases.warehouse().shipped(quantity=1, uom="CS").fulfilled().invoiced().scanned("PU")
    # The same document told twice.
    again = Order(scenario, 300005, ago(days=3)).oms().released().warehouse()
    again.shipped().shipped(seq=2).fulfilled().invoiced().scanned("PU")
    # Voided and invoiced again.
    redone = Order(scenario, 300006, ago(days=3)).oms().released().warehouse().shipped()
    redone.fulfilled().scanned("PU")
    redone.invoiced(
        number="I9300061",
        stat="V",
        voided=erp_local(redone.at(125)),
        modified=erp_local(redone.at(125)),
    )
    redone.invoiced(number="I9300062", after=130)
    # Reversed and posted again.
    reposted = Order(scenario, 300007, ago(days=3)).oms().released().warehouse().shipped()
    reposted.fulfilled(
        number="F7300071",
        stat="R",
        reversed=erp_local(reposted.at(70)),
        modified=erp_local(reposted.at(70)),
    )
    reposted.fulfilled(number="F7300072", after=75).invoiced().scanned("PU")
    # The price changed ten minutes ago; the copy has an hour.
    fresh = Order(scenario, 300008, ago(days=2)).oms(unit_price="11.000000")
    fresh.erp(modified=erp_local(ago(minutes=10)))
    # Cancelled before the ERP ever saw it.
    Order(scenario, 300009, ago(days=2)).oms(
        cancelled_at=ago(days=2, minutes=-20), updated=ago(days=2, minutes=-20)
    )
    # Out of order and with an exception on the way, but delivered and told so.
    late = Order(scenario, 300010, ago(days=3))
    late.oms(updated=late.at(1500), exception_at=late.at(1001), delivered_at=late.at(1500))
    late.released().warehouse().shipped().fulfilled().invoiced()
    late.scanned("DL", after=1490).scanned("EX", after=1000).scanned("PU", after=300)
    # A code that nobody knows.
    odd = Order(scenario, 300011, ago(days=3)).oms().released().warehouse().shipped()
    odd.fulfilled().invoiced().scanned("PU").scanned("ZZ", after=400)
    # A shipment that broke its contract is not a shipment that never was.
    broken = Order(scenario, 300012, ago(days=3)).oms().released().warehouse()
    broken.fulfilled().invoiced()
    scenario.quarantine("wms", "shipment_lines", "SHP-300012/1", "SHP-300012")


def _stock(scenario: Scenario) -> None:
    wms_movement(scenario, 1, "RCPT", 110, "RC-000001", ago(days=20))
    erp_movement(scenario, 1, "101", 110, "RC-000001", ago(days=20))
    # Posted twice in the ERP.
    wms_movement(scenario, 2, "RCPT", 10, "RC-000002", ago(days=10))
    erp_movement(scenario, 2, "101", 10, "RC-000002", ago(days=10))
    erp_movement(scenario, 3, "101", 10, "RC-000002", ago(days=9))
    # Counted down in the warehouse; the ERP never heard.
    wms_movement(scenario, 3, "ADJ", -6, "ADJ-000001", ago(days=2))
    # The same, twenty minutes ago: it has two hours.
    wms_movement(scenario, 4, "ADJ", -10, "ADJ-000002", ago(minutes=20))
    # The warehouse holds 104. The ERP should hold 104 + 10 + 6 + 10 = 130, and holds 97 on its own.
    balances(scenario, erp=97, wms=104, at=NOW)


__all__ = ["DRIFTED_ITEM", "EXPECTED_OPEN", "broken_and_kept", "wms_ms"]
