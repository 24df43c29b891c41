"""The third-party warehouse: what it says in X12 is what the ERP books, read by the product."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sandbox_reader import Reader

from connectors.base import Record
from connectors.x12.source import X12Source
from registry.systems import System
from sandbox.catalogue import gtin14
from sandbox.distributor import Distributor
from sandbox.server import running_sandbox
from sandbox.settings import PARTNERS, PROCESSES, Settings

WORLD = Settings(
    orders=800, faults_per_kind=0, decoys_per_kind=0, processes=PROCESSES, partners=PARTNERS
)
PROFILE = Path(__file__).parents[2] / "examples" / "full" / "threepl.yaml"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("third_party")


@pytest.fixture(scope="module")
def distributor(home: Path) -> Iterator[Distributor]:
    opened = Distributor(home, WORLD)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def source(home: Path, distributor: Distributor) -> X12Source:
    text = PROFILE.read_text().replace("{name}", "threepl_tpl").replace("{id}", "TPL")
    (home / "tpl.yaml").write_text(text)
    return X12Source(
        System(
            name="threepl_tpl",
            role="wms",
            connector="x12",
            base_url=str(distributor.partner_folders["threepl"]["TPL"]),
            time_zone="UTC",
            options={"profile": "tpl.yaml"},
            folder=home,
        )
    )


def read(source: X12Source, entity: str) -> list[Record]:
    records = [record for page in source.pages(entity, None) for record in page.records]
    assert [record.problem for record in records if record.problem] == []
    return records


def told(source: X12Source, entity: str, *keys: str) -> Counter[tuple[str, ...]]:
    """Quantity by some fields, over all lines of an entity."""
    totals: Counter[tuple[str, ...]] = Counter()
    for record in read(source, entity):
        key = tuple(str(record.fields[name]) for name in keys)
        totals[key] += int(float(record.fields["quantity"]))
    return totals


def documents(distributor: Distributor, entity: str) -> list[dict[str, Any]]:
    table = distributor.erp.tables[entity]
    rows = [json.loads(table.text(found)) for found in table.ids()]
    return [row for row in rows if row["whs"] == "S1"]


def test_what_is_ordered_and_shipped_is_what_the_erp_has(
    distributor: Distributor, source: X12Source
) -> None:
    ordered: Counter[tuple[str, ...]] = Counter()
    for order in documents(distributor, "sales_orders"):
        for line in order["lines"]:
            ordered[order["doc_no"], str(line["pos"])] += int(float(line["ord_qty"]))
    assert told(source, "warehouse_order_lines", "host_order", "line_number") == ordered
    posted: Counter[tuple[str, ...]] = Counter()
    for fulfilment in documents(distributor, "fulfilments"):
        for line in fulfilment["lines"]:
            key = (fulfilment["ship_ref"], fulfilment["doc_no"], str(line["pos"]))
            posted[key] += int(float(line["qty"]))
    shipped = told(source, "shipment_lines", "shipment_number", "host_order", "host_line")
    assert shipped == posted
    assert len(posted) > 50


def test_receipts_and_adjustments_are_those_of_the_erp(
    distributor: Distributor, source: X12Source
) -> None:
    booked: dict[str, Counter[tuple[str, ...]]] = {"101": Counter(), "701": Counter()}
    for movement in documents(distributor, "stock_movements"):
        if movement["mv_type"] in booked:
            gtin = gtin14(int(movement["item_no"][3:]))
            booked[movement["mv_type"]][movement["ref"], gtin] += int(float(movement["qty"]))
    received: Counter[tuple[str, ...]] = Counter()
    for record in read(source, "stock_transfer_lines"):
        fields = record.fields
        if fields["set_code"] == "944":
            key = (fields["transfer_number"], fields["item"])
            received[key] += int(float(fields["quantity"]))
    assert received == booked["101"]
    assert told(source, "adjustment_lines", "adjustment_number", "item") == booked["701"]
    assert booked["701"]


def test_every_document_that_was_sent_is_acknowledged(source: X12Source) -> None:
    sent = {record.fields["group_number"] for record in read(source, "functional_groups")}
    answers = read(source, "functional_acknowledgements")
    assert sent and {record.fields["group_number"] for record in answers} == sent


def test_the_nightly_advice_is_the_stock_of_that_moment(
    distributor: Distributor, source: X12Source
) -> None:
    advised = read(source, "inventory")
    newest = max(record.fields["as_of"] for record in advised)
    held = {
        record.fields["item"]: int(float(record.fields["quantity"]))
        for record in advised
        if record.fields["as_of"] == newest
    }
    stock = {
        gtin14(int(row["item_no"][3:])): int(float(row["qoh"]))
        for row in documents(distributor, "stock")
    }
    assert held.keys() == stock.keys()
    # What has moved since, by the ERP's ledger (which is a little behind).
    differing = [item for item, qty in held.items() if qty != stock[item]]
    assert len(differing) < len(held) / 2


def test_the_own_warehouses_know_nothing_of_it(distributor: Distributor) -> None:
    for entity in ("orders", "shipments", "transactions", "inventory"):
        table = distributor.wms.tables[entity]
        assert {json.loads(table.text(found))["Whse"] for found in table.ids()} == {"EAST", "WEST"}


def test_the_page_shows_an_order_wherever_it_ships_from(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, settings=replace(WORLD, orders=150)) as handle:
        reader = Reader(handle)
        orders = {row["whs"]: row["ext_ref"] for row in reader.erp_all("sales_orders")}
        for whs in ("E1", "W1", "S1"):
            assert reader.admin.get(f"/?order={orders[whs]}").status_code == 200
            told = reader.admin.get(f"/admin/orders/{orders[whs]}").raise_for_status().json()
            # What a third party holds has no column.
            assert whs == "S1" or told["wrong"] == 0
        reader.close()
