"""Whole generated histories: however the same facts arrive, the exceptions are the same, what is
built pass by pass is what is built from nothing, and no piece is lost or made.

Two histories in the usual run; `pytest -m histories` tries many."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from build import Warehouse
from hypothesis import HealthCheck, Phase, given, seed, settings
from retold import READ_AT, Tale, Telling, retold, tellings, worlds

from orchestration.compiled import fill

JUDGED = """
select rule_id, object_id, status, due_at, opened_at, closed_at, quantity, expected_value,
    observed_value, value_at_risk, currency, held_reason
from marts.exceptions
order by all
"""
SHIPPED = """
select coalesce(sum(quantity), 0) from core.order_events
where system = 'wms' and milestone = 'shipped' and reversed_from is null
"""
# Per position: what differs by the newest judgement, and what its parts add up to.
PARTS = """
select differences.difference_quantity, coalesce(sum(parts.difference_quantity), 0)
from marts.inventory_state as differences
left join marts.inventory_differences as parts
    on differences.item_id = parts.item_id and differences.location_id = parts.location_id
        and differences.state = parts.state
where differences.difference_quantity is not null
group by all
"""


class Rebuilt:
    """One warehouse whose tables are filled anew by what dbt compiled."""

    def __init__(self, home: Path, artefacts: Path) -> None:
        self.warehouse = Warehouse(home, artefacts)
        retold([], Telling()).write(self.warehouse.path)
        self.statements = self.warehouse.statements

    def told(self, world: Sequence[Tale], telling: Telling, readings: int = 3) -> list[tuple]:
        """The exceptions after so many readings."""
        retold(world, telling, readings).write(self.warehouse.path)
        with self.warehouse.opened() as connection:
            connection.begin()
            for statement in self.statements:
                fill(connection, statement)
            connection.commit()
        return self.warehouse.rows(JUDGED)

    def emptied(self) -> Rebuilt:
        """Nothing derived is kept."""
        self.warehouse.execute(*(f"truncate {one.relation}" for one in self.statements))
        return self


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory, artefacts: Path) -> Rebuilt:
    return Rebuilt(tmp_path_factory.mktemp("generated"), artefacts)


def few(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        # To make a history smaller takes minutes: only where somebody waits for it.
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def told_in_another_way(rebuilt: Rebuilt, world: Sequence[Tale], telling: Telling) -> None:
    expected = rebuilt.told(world, Telling())
    assert rebuilt.warehouse.rows(SHIPPED) == [(Decimal(sum(tale.shipped for tale in world)),)]
    parts = rebuilt.warehouse.rows(PARTS)
    assert parts and all(whole == added for whole, added in parts)
    assert rebuilt.told(world, telling) == expected
    assert rebuilt.warehouse.rows(SHIPPED) == [(Decimal(sum(tale.shipped for tale in world)),)]


@few(2)
@seed(20261110)
@given(world=worlds, telling=tellings)
def test_however_the_facts_arrive_the_exceptions_are_the_same(
    rebuilt: Rebuilt, world: list[Tale], telling: Telling
) -> None:
    told_in_another_way(rebuilt, world, telling)


@pytest.mark.histories
@pytest.mark.timeout(900)
@few(12)
@given(world=worlds, telling=tellings)
def test_however_the_facts_arrive_in_many_histories(
    rebuilt: Rebuilt, world: list[Tale], telling: Telling
) -> None:
    told_in_another_way(rebuilt, world, telling)


@pytest.mark.histories
@pytest.mark.timeout(900)
@few(3)
@given(world=worlds, telling=tellings)
def test_pass_by_pass_is_what_is_built_from_nothing(
    rebuilt: Rebuilt, world: list[Tale], telling: Telling
) -> None:
    rebuilt.emptied()
    carried = [rebuilt.told(world, telling, readings) for readings in range(len(READ_AT))]
    for readings, expected in enumerate(carried):
        assert rebuilt.emptied().told(world, telling, readings) == expected, readings
