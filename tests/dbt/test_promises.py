"""What can be promised by the formula rows, against sums made by hand, on random stock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import Environment

from registry.settings import PROJECT_ROOT

MACROS = PROJECT_ROOT / "dbt_project" / "macros"
MODEL = PROJECT_ROOT / "dbt_project" / "models" / "reconciliation" / "promise_judgements.sql"
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
STATES = ("on_hand", "allocated", "reserved", "damaged", "quarantined")
TABLES = """
create table rules_in_force (rule_id text, family text, cover text, a_role text, a_milestone text,
    b_role text);
create table rule_routes (rule_id text, a_system text, role text, system text);
create table promise_formulas (role text, state text, factor integer);
create table compared_fields (rule_id text, field text, tolerance decimal(18, 6),
    tolerance_percent decimal(18, 6));
create table attribute_versions (object_type text, object_id text, field text,
    value decimal(18, 6), valid_from_earliest timestamptz, valid_to_latest timestamptz);
create table position_balances (system text, extraction_id text, item_id text, location_id text,
    state text, quantity decimal(18, 6), as_of timestamptz, as_of_to timestamptz, record_id text,
    raw_key text, seen_at timestamptz);
insert into rules_in_force values ('I02', 'balance', 'at_most', 'oms', 'available', 'wms'),
    ('I02U', 'balance', 'at_least', 'oms', 'available', 'wms');
insert into rule_routes values ('I02', 'oms', 'oms', 'oms'), ('I02', 'oms', 'wms', 'wms'),
    ('I02U', 'oms', 'oms', 'oms'), ('I02U', 'oms', 'wms', 'wms');
"""

quantities = st.decimals(min_value=-50, max_value=500, places=3)
positions = st.fixed_dictionaries({}, optional=dict.fromkeys(STATES, quantities))
formulas = st.dictionaries(st.sampled_from(STATES), st.integers(-3, 3), min_size=1)
# Minutes from noon -> what a snapshot of that moment told, by state.
snapshots = st.dictionaries(st.integers(-9, 9), positions, max_size=4)
offers = st.dictionaries(st.integers(-9, 9), quantities.filter(lambda q: q >= 0), max_size=4)


@pytest.fixture(scope="module")
def judged() -> Iterator[duckdb.DuckDBPyConnection]:
    # The model as it stands, with the macros it calls; a model is the table of its own name.
    text = (MACROS / "routes.sql").read_text(encoding="utf-8") + MODEL.read_text(encoding="utf-8")
    query = Environment().from_string(text).render(ref=str, config=lambda **settings: "")
    with duckdb.connect() as connection:
        connection.execute(TABLES)
        connection.execute(f"create view judged as {query}")
        yield connection


def at(minute: int, seconds: int = 0) -> datetime:
    return NOON + timedelta(minutes=minute, seconds=seconds)


def promised(told: dict[str, Decimal], formula: dict[str, int]) -> Decimal | None:
    """By hand: nothing is known of a position of which the stock on hand is not."""
    used = {state: quantity for state, quantity in told.items() if state in formula}
    if "on_hand" not in used:
        return None
    return sum((quantity * formula[state] for state, quantity in used.items()), Decimal(0))


def amiss(
    offered: Decimal, minute: int, known: dict[int, Decimal]
) -> tuple[Decimal, Decimal] | None:
    """By hand: what is offered beyond the better of the two neighbours, and beyond nothing; and
    what is missing even of the worse one."""
    before = [moment for moment in known if moment <= minute]
    behind = [moment for moment in known if moment > minute]
    near = [known[max(before)]] if before else []
    near += [known[min(behind)]] if behind else []
    if not near:
        return None
    most, least = (max(bound, Decimal(0)) for bound in (max(near), min(near)))
    return max(offered - most, Decimal(0)), min(offered - least, Decimal(0))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(snapshots=snapshots, offered=offers, common=formulas, own=st.none() | formulas)
def test_an_offer_is_judged_by_the_formula_of_its_role(
    judged: duckdb.DuckDBPyConnection,
    snapshots: dict[int, dict[str, Decimal]],
    offered: dict[int, Decimal],
    common: dict[str, int],
    own: dict[str, int] | None,
) -> None:
    judged.execute("delete from promise_formulas")
    judged.execute("delete from position_balances")
    for role, formula in (("*", common), ("oms", own or {})):
        for state, factor in formula.items():
            judged.execute("insert into promise_formulas values (?, ?, ?)", [role, state, factor])

    def tell(system: str, state: str, quantity: Decimal, moment: datetime) -> None:
        judged.execute(
            "insert into position_balances values (?, ?, 'G', 'EAST', ?, ?, ?, ?, 'p', 'k', ?)",
            [system, f"{system} {moment}", state, quantity, moment, moment, moment],
        )

    for minute, told in snapshots.items():
        for state, quantity in told.items():
            tell("wms", state, quantity, at(minute))
    for minute, quantity in offered.items():
        tell("oms", "available", quantity, at(minute, seconds=30))

    formula = own or common
    known = {}
    for minute, told in snapshots.items():
        if (sum_of := promised(told, formula)) is not None:
            known[minute] = sum_of
    expected = {}
    for minute, quantity in offered.items():
        if (by_hand := amiss(quantity, minute, known)) is not None:
            too_much, too_little = by_hand
            expected[at(minute, seconds=30)] = {"I02": too_much, "I02U": too_little}
    found: dict[datetime, dict[str, Decimal]] = {}
    for moment, rule, residual in judged.execute(
        "select judged_at, rule_id, residual_quantity from judged"
    ).fetchall():
        found.setdefault(moment.astimezone(UTC), {})[rule] = residual
    assert found == expected
