"""Business processes beside order to cash: each is told whole, in order, and adds up."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sandbox_reader import Reader

from sandbox.catalogue import draw_items
from sandbox.clock import HOUR, LONGEST_DAY, NEW_YORK
from sandbox.distributor import Distributor
from sandbox.events import Event
from sandbox.numbers import Numbers
from sandbox.server import running_sandbox
from sandbox.settings import PROCESSES, Settings
from sandbox.simulation.engine import Engine
from sandbox.simulation.periods import last_closed_day
from sandbox.simulation.purchasing import Purchasing
from sandbox.simulation.stock import Stock
from sandbox.world import build_history

NOW = 1_795_000_000.0
FULL = Settings(orders=1500, faults_per_kind=0, decoys_per_kind=0, processes=PROCESSES)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return sorted(build_history(FULL, NOW).events, key=lambda event: event.at)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Distributor:
    return Distributor(tmp_path_factory.mktemp("full"), FULL)


def documents(distributor: Distributor, system: str, entity: str) -> list[dict[str, Any]]:
    table = distributor.views[system].tables[entity]
    return [json.loads(table.text(found)) for found in table.ids()]


def by(events: list[Event], kinds: tuple[str, ...], key: str) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.kind in kinds and key in event.data:
            found[event.data[key]].append(event)
    return found


@pytest.mark.parametrize(
    ("key", "first", "middle", "last"),
    [
        (
            "purchase",
            "purchase_ordered",
            ("purchase_acknowledged", "shipment_announced", "stock_received"),
            "supplier_invoiced",
        ),
        ("transfer", "transfer_ordered", ("transfer_shipped",), "transfer_received"),
        ("return", "return_authorised", ("return_received",), "return_credited"),
    ],
)
def test_what_is_begun_is_finished_before_the_world_stops(
    events: list[Event], key: str, first: str, middle: tuple[str, ...], last: str
) -> None:
    chains = by(events, (first, *middle, last), key)
    assert len(chains) > 5
    for chain in chains.values():
        kinds = [event.kind for event in chain]
        assert list(dict.fromkeys(kinds)) == [first, *middle, last]
        assert (kinds.count(first), kinds.count(last)) == (1, 1)
    assert max(max([event.at, *event.seen.values()]) for event in events) <= NOW


def test_purchases_are_received_and_billed_as_they_were_ordered(opened: Distributor) -> None:
    orders = documents(opened, "erp", "purchase_orders")
    received: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    for row in documents(opened, "erp", "goods_receipts"):
        received[row["po_no"], row["pos"]] += Decimal(row["qty"])
    billed: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    for invoice in documents(opened, "erp", "vendor_invoices"):
        total = sum(Decimal(line["qty"]) * Decimal(line["prc"]) for line in invoice["lines"])
        assert Decimal(invoice["amt"]) == total
        for line in invoice["lines"]:
            billed[invoice["po_no"], line["pos"]] += Decimal(line["qty"])
    assert len(orders) > 20
    for order in orders:
        assert order["stat"] == 60
        for line in order["lines"]:
            place = (order["po_no"], line["pos"])
            expected = Decimal(line["ord_qty"])
            assert Decimal(line["ack_qty"]) == expected
            assert received[place] == Decimal(line["rcv_qty"]) == expected
            assert billed[place] == Decimal(line["inv_qty"]) == expected
    notices = documents(opened, "wms", "receipts")
    assert {notice["HostPo"] for notice in notices} == {order["po_no"] for order in orders}
    assert {notice["Status"] for notice in notices} == {"RECEIVED"}


def test_a_buyer_repeats_no_order_of_the_day_word_for_word() -> None:
    """Nothing could tell it from one that went out twice: a healthy day of seed 1193 had one."""
    engine = Engine(random.Random(1))
    stock, items = Stock(engine), draw_items(1, 4)
    buyer = Purchasing(engine, Numbers(), items, stock, 1.0, frozenset({"erp"}), LONGEST_DAY)
    position = (1, "WEST")
    bought = []
    for hours in (6, 30, 6):
        stock.open(position, 0, 0)
        buyer.replenish(position)
        for event in engine.run(until=engine.now + hours * HOUR):
            if event.kind == "purchase_ordered":
                bought.append(event.data["lines"][0]["qty"])
    case = items[0].case_pack
    assert bought == [bought[0], bought[0] + case, bought[0]]
    assert stock.levels[position].on_order == bought[-1]


def test_erp_and_warehouse_hold_the_same_units(opened: Distributor) -> None:
    warehouse = {
        (row["Sku"][1:], row["Whse"][0]): row["OnHand"]
        for row in documents(opened, "wms", "inventory")
    }
    erp = {
        (row["item_no"][3:], row["whs"][0]): int(Decimal(row["qoh"]))
        for row in documents(opened, "erp", "stock")
    }
    assert warehouse == erp
    kinds = {row["TranType"] for row in documents(opened, "wms", "transactions")}
    assert kinds == {"SHIP", "RCPT", "ADJ", "XFRO", "XFRI", "RTRN"}
    types = {row["mv_type"] for row in documents(opened, "erp", "stock_movements")}
    assert types == {"601", "101", "701", "351", "352", "653"}


def test_a_count_says_what_its_adjustment_corrects(opened: Distributor) -> None:
    adjusted = {
        row["Ref"]: row["Qty"]
        for row in documents(opened, "wms", "transactions")
        if row["TranType"] == "ADJ"
    }
    counts = documents(opened, "wms", "counts")
    assert counts
    for count in counts:
        assert count["CountedQty"] - count["SystemQty"] == adjusted[count["AdjRef"]]


def test_a_return_is_credited_at_the_price_that_was_billed(opened: Distributor) -> None:
    invoices = {row["inv_no"]: row for row in documents(opened, "erp", "invoices")}
    memos = [row for row in documents(opened, "erp", "settlements") if row["typ"] == "C"]
    assert {row["status"] for row in documents(opened, "oms", "returns")} == {"CREDITED"}
    assert memos
    for memo in memos:
        billed = {line["pos"]: line for line in invoices[memo["inv_no"]]["lines"]}
        for line in memo["lines"]:
            assert line["prc"] == billed[line["pos"]]["prc"]
            assert Decimal(line["qty"]) <= Decimal(billed[line["pos"]]["qty"])


def test_customers_pay_what_was_billed(opened: Distributor) -> None:
    billed = {row["inv_no"]: row for row in documents(opened, "erp", "invoices")}
    payments = [row for row in documents(opened, "erp", "settlements") if row["typ"] == "P"]
    assert len(payments) > len(billed) / 2
    assert len({row["bank_ref"] for row in payments}) == len(payments)
    for payment in payments:
        invoice = billed[payment["inv_no"]]
        assert payment["amt"] == invoice["amt"]
        assert payment["posted"] > invoice["posted"]
        assert [line["pos"] for line in payment["lines"]] == [
            line["pos"] for line in invoice["lines"]
        ]


def test_an_order_on_hold_is_booked_once_its_credit_was_checked(tmp_path: Path) -> None:
    choices = replace(FULL, orders=150, processes=(), mix={"O10": 1, "held_and_checked": 1})
    distributor = Distributor(tmp_path, choices)
    held = [row for row in documents(distributor, "erp", "sales_orders") if row["held"]]
    assert sorted(row["validated"] is not None for row in held) == [False, True]
    for order in held:
        assert order["entered"] == order["held"] < order["booked"] < order["released"]
        assert order["validated"] in (None, order["booked"])
    distributor.close()


def accrued_at(events: list[Event], moment: float) -> int:
    """What was received and not yet billed by a moment, in cents."""
    costs = {
        (event.subject, line["line"]): line["cost"]
        for event in events
        if event.kind == "purchase_ordered"
        for line in event.data["lines"]
    }
    accrued = 0
    for event in events:
        if event.at >= moment or "purchase" not in event.data:
            continue
        if event.kind == "stock_received":
            accrued += event.data["qty"] * costs[event.data["purchase"], event.data["line"]]
        elif event.kind == "supplier_invoiced":
            accrued -= sum(line["qty"] * line["cost"] for line in event.data["lines"])
    return accrued


def test_of_orders_on_hold_most_go_on_and_the_others_are_cancelled(
    events: list[Event], opened: Distributor
) -> None:
    held = {
        event.subject: event
        for event in events
        if event.kind == "order_accepted" and event.as_told_to("erp").get("held")
    }
    checked = by(events, ("credit_checked",), "order")
    released = by(events, ("order_released",), "order")
    cancelled = by(events, ("lines_cancelled",), "order")
    assert 40 < len(held) < 150
    assert set(checked) <= set(held)
    for number in set(held) & set(released):
        assert checked[number][0].at <= released[number][0].at
    refused = [number for number in held if number in cancelled and number not in checked]
    assert 0 < len(refused) < len(checked) / 4
    for document in documents(opened, "erp", "sales_orders"):
        if document["ext_ref"] in held:
            assert document["held"]
            assert bool(document["booked"]) == bool(document["validated"])


def test_a_month_is_closed_with_what_was_received_and_not_billed() -> None:
    end = datetime(2026, 11, 1, tzinfo=NEW_YORK).timestamp()
    found = []
    for seed in range(4):
        events = build_history(replace(FULL, seed=seed), NOW).events
        closings = [event for event in events if event.kind == "period_closed"]
        assert [event.subject for event in closings] == ["2026-10"]
        found.append(closings[0].data["accrued"])
        assert found[-1] == accrued_at(events, end)
    assert max(found) > 0


def test_a_period_that_was_closed_this_minute_may_be_disputed() -> None:
    closed = datetime(2026, 7, 2, 6, tzinfo=NEW_YORK).timestamp()
    assert last_closed_day(closed + 1) == date(2026, 5, 31)
    assert last_closed_day(closed + 61) == date(2026, 6, 30)


def test_prices_change_and_orders_follow(events: list[Event], opened: Distributor) -> None:
    changes = by(events, ("item_repriced",), "gtin")
    assert len(changes) > 5
    prices = {row["gtin"]: Decimal(row["list_prc"]) for row in documents(opened, "erp", "items")}
    products = documents(opened, "oms", "products")
    assert {row["gtin"]: Decimal(row["listPrice"]) for row in products} == prices
    # A line is at the list price of its day, less at most ten per cent.
    listed = {
        event.data["item"]: event.data["price"] for event in events if event.kind == "item_created"
    }
    for event in events:
        if event.kind == "item_repriced":
            listed[event.data["item"]] = event.data["price"]
        elif event.kind == "order_placed":
            for line in event.data["lines"]:
                assert listed[line["item"]] * 89 // 100 <= line["price"] <= listed[line["item"]]


def test_the_new_documents_are_served_only_where_the_world_tells_of_them(tmp_path: Path) -> None:
    places = (
        ("erp", "/api/purchase_orders", "data"),
        ("erp", "/api/periods", "data"),
        ("erp", "/api/settlements", "data"),
        ("erp", "/api/transfers", "data"),
        ("wms", "/feed/receipts", "records"),
        ("wms", "/feed/counts", "records"),
        ("oms", "/v1/returns", "returns"),
    )
    settings = Settings(orders=300, faults_per_kind=0, decoys_per_kind=0)
    with running_sandbox(tmp_path / "demo", settings=settings) as handle:
        reader = Reader(handle)
        for system, path, _ in places:
            assert getattr(reader, system).get(path).status_code == 404
        reader.close()
    full = Settings(orders=300, faults_per_kind=0, decoys_per_kind=0, processes=PROCESSES)
    for _ in ("first start", "taken back"):
        with running_sandbox(tmp_path / "full", settings=full) as handle:
            reader = Reader(handle)
            for system, path, rows in places:
                answer = getattr(reader, system).get(path).raise_for_status().json()
                assert answer[rows], path
            reader.close()
