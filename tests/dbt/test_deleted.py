"""Records that vanish: two sweeps in a row must miss them, and what they said is taken back."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from build import Warehouse
from scenario import NOW, Scenario, ago
from trade import Order, masters

LINES = ("erp", "sales_order_lines")
PASSES = [NOW + timedelta(minutes=30 * number) for number in range(5)]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, artefacts: Path) -> Warehouse:
    """Five passes; the middle three sweep the keys of the ERP's order lines."""
    scenario = Scenario()
    masters(scenario)
    vanished, missed_once, back, _kept = (
        Order(scenario, 600001 + number, ago(days=2)).oms().erp() for number in range(4)
    )
    scenario.read(PASSES[0])
    scenario.read(PASSES[1], missing={LINES: ()})
    scenario.read(PASSES[2], missing={LINES: _records(vanished, back)})
    back.erp()
    scenario.read(PASSES[3], missing={LINES: _records(vanished, missed_once)})
    scenario.read(PASSES[4])
    built = Warehouse(tmp_path_factory.mktemp("deleted"), artefacts)
    scenario.write(built.path)
    return built.build()


def _records(*orders: Order) -> tuple[str, ...]:
    return tuple(f"{order.doc_no}/10" for order in orders)


def test_only_what_two_sweeps_in_a_row_missed_is_deleted(warehouse: Warehouse) -> None:
    deleted = warehouse.rows("select * from intermediate.int_deleted_records")
    # Last there when the first sweep began, gone when the second had ended.
    assert deleted == [
        ("erp", "sales_order_lines", "E5600001/10", PASSES[1], PASSES[2] + timedelta(seconds=1))
    ]


def test_its_milestones_are_taken_back(warehouse: Warehouse) -> None:
    def taken_back(order: str) -> set[datetime | None]:
        return {
            moment
            for (moment,) in warehouse.rows(
                "select reversed_to from core.order_events "
                f"where system = 'erp' and order_id = '{order}'"
            )
        }

    assert taken_back("SO-600001") == {PASSES[2] + timedelta(seconds=1)}
    for order in ("SO-600002", "SO-600003", "SO-600004"):
        assert taken_back(order) == {None}


def test_it_holds_no_value_any_more(warehouse: Warehouse) -> None:
    values = warehouse.rows(
        "select value is null, valid_from_latest from core.attribute_versions "
        "where system = 'erp' and object_id = 'SO-600001/1' and field = 'quantity' "
        "order by valid_from_latest"
    )
    assert [gone for gone, _ in values] == [False, True]
    assert values[-1][1] == PASSES[2] + timedelta(seconds=1)


def test_what_it_had_met_is_open_again(warehouse: Warehouse) -> None:
    assert warehouse.exceptions() == {("O02", "SO-600001/1")}
