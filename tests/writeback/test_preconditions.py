"""Preconditions against records as sources tell them: which hold, and which one is named broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_target import FakeSource, World

from writeback.preconditions import first_broken

LINES = {"system": "erp", "entity": "sales_order_lines"}


@pytest.fixture
def source(tmp_path: Path) -> FakeSource:
    world = World(tmp_path / "world.sqlite")
    world.set_line("E500001/10", "5.000")
    world.set_line("E500001/20", "8.000")
    return FakeSource(world)


@pytest.mark.parametrize(
    ("key", "rest", "broken"),
    [
        ({"doc_no": "E500001"}, {"check": "exists"}, None),
        ({"doc_no": "E500002"}, {"check": "exists"}, "does not exist any more"),
        ({"doc_no": "E500001", "pos": "30"}, {"check": "exists"}, "does not exist any more"),
        ({"doc_no": "E500002"}, {"check": "absent"}, None),
        ({"doc_no": "E500001"}, {"check": "absent"}, "exists by now"),
        ({"doc_no": "E500001", "pos": "30"}, {"check": "absent"}, None),
        ({"doc_no": "E500001", "pos": "20"}, {"check": "absent"}, "exists by now"),
        ({"doc_no": "E500001", "ord_qty": "8"}, {"check": "absent"}, "exists by now"),
        ({"doc_no": "E500001", "pos": 10}, {"field": "ord_qty", "value": 5}, None),
        ({"doc_no": "E500001", "pos": "20"}, {"field": "ord_qty", "value": "8.0"}, None),
        ({"doc_no": "E500001", "pos": "20"}, {"field": "ord_qty", "value": 5}, "holds ord_qty"),
        ({"doc_no": "E500001"}, {"field": "ord_qty", "value": 5}, "holds ord_qty = '8.000'"),
        ({"doc_no": "E500002"}, {"field": "ord_qty", "value": 5}, "does not exist any more"),
        ({"doc_no": "E500001", "pos": "10"}, {"field": "ord_qty", "value": None}, "holds ord_qty"),
    ],
)
def test_conditions(
    source: FakeSource, key: dict[str, Any], rest: dict[str, Any], broken: str | None
) -> None:
    found = first_broken([{**LINES, "check": "equals", **rest, "key": key}], {"erp": source})
    assert found is None if broken is None else broken in str(found)


def test_the_first_broken_one_of_several_is_named(source: FakeSource) -> None:
    conditions = [
        {**LINES, "key": {"doc_no": "E500001"}, "check": "exists"},
        {**LINES, "key": {"doc_no": "E500007"}, "check": "exists"},
        {**LINES, "key": {"doc_no": "E500008"}, "check": "exists"},
    ]
    assert "E500007" in str(first_broken(conditions, {"erp": source}))
    assert first_broken([], {}) is None
