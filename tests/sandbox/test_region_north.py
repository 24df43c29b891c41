"""The region north: an ERP of its own that counts for itself and drops files."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sandbox import clock
from sandbox.distributor import Distributor
from sandbox.numbers import Numbers
from sandbox.scene import NothingLeftError
from sandbox.settings import Settings
from sandbox.worldfile import read_world

MINUTE = 60.0
HOUR = 3600.0
SETTINGS = replace(
    read_world("full", orders=200, items=40, seed=11),
    faults_per_kind=0,
    decoys_per_kind=0,
    overlaps_per_kind=0,
    processes=(),
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with clock.skips_forgotten():
        yield tmp_path


def opened(home: Path, settings: Settings = SETTINGS) -> Distributor:
    return Distributor(home, settings)


def files(distributor: Distributor, kind: str) -> list[list[dict[str, str]]]:
    """The rows of each file of a kind, oldest first, the trailer last."""
    folder = distributor.drop_folders["erp_north"] / kind
    return [
        list(csv.DictReader(path.read_text("cp1252").splitlines(), delimiter=";"))
        for path in sorted(folder.iterdir())
    ]


def amount(text: str) -> Decimal:
    return Decimal(text.replace(",", "."))


@pytest.fixture(scope="module")
def distributor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Distributor]:
    """A world that nobody changes."""
    made = opened(tmp_path_factory.mktemp("north"))
    yield made
    made.close()


def test_files_tell_what_the_erp_holds_and_end_in_their_control_totals(
    distributor: Distributor,
) -> None:
    north = distributor.views["erp_north"]
    (docs,) = files(distributor, "docs")
    *lines, trailer = docs
    sales = {line["DOC"] for line in lines if line["KIND"] == "S"}
    assert sales == set(north.tables["sales_orders"].ids())
    assert len(sales) > 10
    assert {line["KIND"] for line in lines} == {"S", "F", "I", "M"}
    assert (trailer["KIND"], int(trailer["NUMBER"])) == ("T", len(lines))
    assert amount(trailer["QTY"]) == sum(amount(line["QTY"]) for line in lines)
    (stock,) = files(distributor, "stock")
    moved: dict[str, Decimal] = {}
    for line in lines:
        if line["KIND"] == "M":
            moved[line["ITEM"]] = moved.get(line["ITEM"], Decimal(0)) + amount(line["QTY"])
    assert {line["ITEM"]: amount(line["QOH"]) for line in stock[:-1]} == moved


def test_each_erp_counts_for_itself_and_the_warehouse_can_tell_them_apart(
    distributor: Distributor,
) -> None:
    north = set(distributor.views["erp_north"].tables["sales_orders"].ids())
    shared = north & set(distributor.erp.orders.ids())
    assert len(shared) > len(north) / 2
    named = [distributor.wms.orders.edit(found) for found in distributor.wms.orders.ids()]
    there = {order["HostOrder"] for order in named if order["Whse"] == "NORTH"}
    assert there and there <= {f"N1-{number}" for number in north}
    assert not there & {order["HostOrder"] for order in named if order["Whse"] != "NORTH"}
    # The office of the region takes the orders: no other system knows of them.
    known = distributor.oms.orders
    assert not any("NO-" in known.text(number) for number in known.ids())


def test_a_file_comes_every_hour_with_what_changed_also_after_a_restart(home: Path) -> None:
    distributor = opened(home)
    clock.skip(3 * HOUR)
    distributor.advance()
    quiet = files(distributor, "docs")[-1]
    (row,) = distributor.inject("M7", 1)
    clock.skip(HOUR)
    distributor.close()
    again = opened(home)
    again.advance()
    assert len(files(again, "docs")) == len(files(again, "stock")) == 3
    assert len(quiet) == 1
    told = [line for line in files(again, "docs")[-1] if line["KIND"] == "S"]
    assert {line["ORDER"] for line in told} == {row["entity_keys"]["order_number"]}
    assert {line["STATE"] for line in told} == {"RL"}
    again.advance()
    assert len(files(again, "docs")) == 3
    again.close()


def test_a_file_breaks_off_and_comes_whole_later_also_after_a_restart(home: Path) -> None:
    distributor = opened(home)
    clock.skip(MINUTE)
    distributor.inject("T7N", 1)
    distributor.advance()
    (first, cut) = files(distributor, "stock")
    assert len(cut) == pytest.approx(len(first) / 2, abs=2)
    assert [row["ITEM"] for row in cut[:-1]] == [row["ITEM"] for row in first[: len(cut) - 1]]
    clock.skip(HOUR)
    distributor.close()
    again = opened(home)
    again.advance()
    assert [len(file) for file in files(again, "stock")] == [len(first), len(cut), len(first)]
    clock.skip(3 * HOUR)
    again.advance()
    assert {len(file) for file in files(again, "stock")} == {len(first)}
    again.close()


def test_the_fault_names_an_order_of_the_north_by_a_number_of_the_other_erp(home: Path) -> None:
    distributor = opened(home, replace(SETTINGS, mix={"M7": 2, "number_in_both": 2}))
    rows = [json.loads(text) for text in distributor.store.truths()]
    for row in rows:
        keys: dict[str, Any] = row["entity_keys"]
        number = keys["doc_no"]
        assert distributor.erp.orders.edit(number)["ext_ref"] == keys["other_order"]
        held = distributor.views["erp_north"].tables["sales_orders"].edit(number)
        assert held["ext_ref"] == keys["order_number"]
        bare = [order["Whse"] for order in distributor.wms.orders.by("HostOrder", number)]
        assert ("NORTH" in bare) is (row["fault_type"] == "M7")
    assert len(rows) == 4
    distributor.close()


def test_a_number_given_out_of_turn_is_not_given_again() -> None:
    numbers = Numbers()
    assert numbers.next_int("north_order") == 1
    assert numbers.take("north_order", 3)
    assert not numbers.take("north_order", 3)
    assert not numbers.take("north_order", 1)
    again = Numbers(counts=dict(numbers.counts))
    assert [again.next_int("north_order") for _ in range(3)] == [2, 4, 5]


def test_a_world_without_the_region_says_what_is_missing(home: Path) -> None:
    distributor = opened(home, replace(SETTINGS, orders=50, items=20, regions=()))
    assert distributor.drop_folders == {}
    with pytest.raises(NothingLeftError, match="no north"):
        distributor.inject("M7", 1)
    distributor.close()
