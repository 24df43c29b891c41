"""A quantity that is changed counts from then on: what was met stays met, nothing opens early."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from build import Warehouse
from scenario import NOW, Scenario, ago, erp_local
from trade import Line, Order, masters

LATER = NOW + timedelta(hours=2)
RAISED, LOWERED = ago(minutes=30), ago(minutes=20)
HOUR = timedelta(hours=1)

Judged = dict[tuple[str, str], tuple[str, datetime]]


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


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, artefacts: Path) -> tuple[Judged, Judged]:
    """What is judged half an hour after the changes, and two hours later."""
    scenario = Scenario()
    masters(scenario)
    orders = _told_first(scenario)
    scenario.read(ago(hours=2))
    _changed(*orders)
    warehouse = Warehouse(tmp_path_factory.mktemp("changed"), artefacts)

    def after(at: datetime) -> Judged:
        scenario.read(at)
        scenario.write(warehouse.path)
        found = warehouse.build().rows(
            "select rule_id, object_id, status, date_trunc('minute', due_at) from marts.exceptions "
            "where rule_id in ('O06Q', 'S07')"
        )
        return {(rule, thing): (status, due) for rule, thing, status, due in found}

    return after(NOW), after(LATER)


def test_what_is_raised_is_owed_an_hour_after_it_was(judged: tuple[Judged, Judged]) -> None:
    soon, later = judged
    assert soon["O06Q", "SO-500001/1"] == ("pending", RAISED + HOUR)
    assert later["O06Q", "SO-500001/1"] == ("open", RAISED + HOUR)


def test_what_is_lowered_after_it_shipped_was_shipped_too_much_from_then_on(
    judged: tuple[Judged, Judged],
) -> None:
    for one in judged:
        assert one["S07", "SO-500002/1"] == ("open", LOWERED)
