"""A line of which nothing was shipped is no shipment, nor one that is corrected to nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from build import Warehouse
from scenario import NOW, Scenario, ago, erp_local, wms_ms
from trade import Line, Order, masters

SHORT, EMPTIED, WRONGLY_POSTED = 300001, 300002, 300003


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, artefacts: Path) -> Warehouse:
    scenario = Scenario()
    masters(scenario)
    _short(scenario)
    _emptied(scenario)
    _wrongly_posted(scenario)
    scenario.read(NOW)
    built = Warehouse(tmp_path_factory.mktemp("short_picks"), artefacts)
    scenario.write(built.path)
    return built.build()


def test_what_was_not_shipped_is_neither_posted_nor_billed_but_waits(warehouse: Warehouse) -> None:
    assert warehouse.exceptions("open") == {
        ("O09W", f"SO-{SHORT}/2"),
        ("O09W", f"SO-{EMPTIED}/1"),
        # The ERP alone says that it left.
        ("S03", f"SO-{WRONGLY_POSTED}/1"),
    }


def test_what_was_shipped_and_is_corrected_to_nothing_is_taken_back(warehouse: Warehouse) -> None:
    shipped = warehouse.rows(
        "select order_line_id, role, reversed_to is not null from core.order_events "
        "where milestone = 'shipped' and object_type = 'order_line' order by all"
    )
    assert shipped == [
        (f"SO-{SHORT}/1", "erp", False),
        (f"SO-{SHORT}/1", "wms", False),
        (f"SO-{EMPTIED}/1", "erp", True),
        (f"SO-{EMPTIED}/1", "wms", True),
        (f"SO-{WRONGLY_POSTED}/1", "erp", False),
        (f"SO-{WRONGLY_POSTED}/1", "wms", True),
    ]
    packages = warehouse.rows(
        "select object_id, reversed_to is not null from core.order_events "
        "where milestone = 'shipped' and object_type = 'package' order by all"
    )
    assert packages == [
        (f"TRK0{SHORT}", False),
        (f"TRK0{EMPTIED}", True),
        (f"TRK0{WRONGLY_POSTED}", True),
    ]


def test_a_line_that_was_left_out_has_not_shipped(warehouse: Warehouse) -> None:
    lines = warehouse.rows(
        "select order_line_id, shipped_at is not null, in_transit_at is not null "
        f"from marts.order_lifecycle where order_id = 'SO-{SHORT}' order by all"
    )
    assert lines == [(f"SO-{SHORT}/1", True, True), (f"SO-{SHORT}/2", False, False)]


def _short(scenario: Scenario) -> None:
    """One line of two was shipped; both systems write the other one down as nothing."""
    order = Order(scenario, SHORT, ago(days=10), [Line(1, 10), Line(2, 10)])
    order.oms().released().warehouse()
    for line, shipped in ((Line(1, 10), 10), (Line(2, 10), 0)):
        order.lines = [line]
        order.shipped(qty=shipped).fulfilled(qty=shipped).invoiced(qty=shipped)
    order.scanned("PU")


def _emptied(scenario: Scenario) -> None:
    """Shipped and posted, until both systems correct it to nothing."""
    order = Order(scenario, EMPTIED, ago(days=10)).oms().released().warehouse()
    order.shipped().fulfilled()
    order.shipped(qty=0, version=2, seq=2, updated_ms=wms_ms(order.at(70)))
    order.fulfilled(qty=0, row_version=2, modified=erp_local(order.at(75)))


def _wrongly_posted(scenario: Scenario) -> None:
    """Only the warehouse corrects it."""
    order = Order(scenario, WRONGLY_POSTED, ago(days=10)).oms().released().warehouse()
    order.shipped().fulfilled()
    order.shipped(qty=0, version=2, seq=2, updated_ms=wms_ms(order.at(70)))
