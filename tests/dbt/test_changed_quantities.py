"""A quantity that is changed counts from then on: what was met stays met, nothing opens early."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from build import Warehouse
from scenario import NOW, Scenario, ago, erp_local
from trade import Line, Order, masters

LATER = NOW + timedelta(hours=2)
RAISED, LOWERED = ago(minutes=30), ago(minutes=20)
HOUR = timedelta(hours=1)

Judged = Callable[..., dict[tuple[str, str], tuple[str, datetime]]]


def _told_first(scenario: Scenario) -> tuple[Order, Order]:
    """One order that the warehouse was given, another that it has shipped: all agree."""
    given = Order(scenario, 500001, ago(days=1)).oms().released().warehouse()
    gone = Order(scenario, 500002, ago(days=1)).oms().released().warehouse().shipped()
    gone.fulfilled()
    return given, gone


def _changed(given: Order, gone: Order) -> None:
    """The ERP raises the one that is released, the OMS lowers the one that has shipped."""
    given.lines = [Line(1, quantity=8)]
    moment = erp_local(RAISED)
    given.erp(released=erp_local(given.at(10)), modified=moment, stat=30, line_stat=30, whs="E1")
    gone.lines = [Line(1, quantity=3)]
    gone.oms(updated=LOWERED, version=2)


@pytest.fixture
def told(tmp_path: Path, artefacts: Path) -> Judged:
    """What is judged after readings at some moments, the first of which told all as it was."""

    def judged(*readings: datetime) -> dict[tuple[str, str], tuple[str, datetime]]:
        scenario = Scenario()
        masters(scenario)
        orders = _told_first(scenario)
        scenario.read(ago(hours=2))
        _changed(*orders)
        for at in readings:
            scenario.read(at)
        built = Warehouse(tmp_path / f"{len(readings)}", artefacts)
        scenario.write(built.path)
        found = built.build().rows(
            "select rule_id, object_id, status, date_trunc('minute', due_at) from marts.exceptions "
            "where rule_id in ('O06Q', 'S07')"
        )
        return {(rule, thing): (status, due) for rule, thing, status, due in found}

    return judged


def test_what_is_raised_is_owed_an_hour_after_it_was(told: Judged) -> None:
    assert told(NOW)["O06Q", "SO-500001/1"] == ("pending", RAISED + HOUR)
    assert told(NOW, LATER)["O06Q", "SO-500001/1"] == ("open", RAISED + HOUR)


def test_what_is_lowered_after_it_shipped_was_shipped_too_much_from_then_on(told: Judged) -> None:
    assert told(NOW)["S07", "SO-500002/1"] == ("open", LOWERED)
