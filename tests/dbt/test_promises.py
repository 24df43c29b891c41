"""What can be promised by the formula rows, against sums made by hand, on random stock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import Environment

from registry.settings import PROJECT_ROOT

MACROS = PROJECT_ROOT / "dbt_project" / "macros"
MODEL = PROJECT_ROOT / "dbt_project" / "models" / "reconciliation" / "promise_judgements.sql"
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
WITHIN_DAYS = 2
STATES = ("on_hand", "allocated", "reserved", "damaged", "quarantined")
TABLES = """
create table rules_in_force (rule_id text, family text, cover text, a_role text, a_milestone text,
    b_role text);
create table rule_routes (rule_id text, a_system text, role text, system text);
create table promise_formulas (channel text, state text, factor integer, within_days integer);
create table inbound_supplies (item_id text, location_id text, known_from timestamptz,
    known_to timestamptz, expected_at timestamptz, sure_quantity decimal(18, 6));
create table compared_fields (rule_id text, field text, tolerance decimal(18, 6),
    tolerance_percent decimal(18, 6));
create table attribute_versions (object_type text, object_id text, field text,
    value decimal(18, 6), valid_from_earliest timestamptz, valid_to_latest timestamptz);
create table position_balances (system text, extraction_id text, item_id text, location_id text,
    state text, quantity decimal(18, 6), as_of timestamptz, as_of_to timestamptz, record_id text,
    raw_key text, seen_at timestamptz, channel text);
insert into rules_in_force values ('I02', 'balance', 'at_most', 'oms', 'available', 'wms'),
    ('I02U', 'balance', 'at_least', 'oms', 'available', 'wms');
insert into rule_routes values ('I02', 'shop', 'oms', 'shop'), ('I02', 'shop', 'wms', 'wms'),
    ('I02U', 'shop', 'oms', 'shop'), ('I02U', 'shop', 'wms', 'wms');
"""


class Supply(NamedTuple):
    """What a supplier owes, known between two minutes from noon (to this day: None), and in how
    many days from noon it is expected, if anybody told."""

    known_from: int
    known_to: int | None
    expected_days: int | None
    pieces: int


quantities = st.decimals(min_value=-50, max_value=500, places=3)
positions = st.fixed_dictionaries({}, optional=dict.fromkeys(STATES, quantities))
minutes = st.integers(-9, 9)
formulas = st.dictionaries(
    st.sampled_from((*STATES, "inbound_due")), st.integers(-3, 3), min_size=1
)
supplies = st.lists(
    st.builds(
        Supply, minutes, st.none() | minutes, st.none() | st.integers(-2, 5), st.integers(0, 99)
    ).filter(lambda supply: supply.known_to is None or supply.known_from < supply.known_to),
    max_size=4,
)
# Minutes from noon -> what a snapshot of that moment told, by state.
snapshots = st.dictionaries(minutes, positions, max_size=4)
offers = st.dictionaries(minutes, quantities.filter(lambda q: q >= 0), max_size=4)


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


def promised(
    told: dict[str, Decimal], formula: dict[str, int], minute: int, coming: list[Supply]
) -> tuple[Decimal, Decimal] | None:
    """By hand: what lies on the shelf, and what may be promised. Nothing is known of a position of
    which the stock on hand is not."""
    used = {state: quantity for state, quantity in told.items() if state in formula}
    if "on_hand" not in used:
        return None
    due = sum(
        supply.pieces
        for supply in coming
        if supply.known_from <= minute
        and (supply.known_to is None or minute < supply.known_to)
        and supply.expected_days is not None
        and NOON + timedelta(days=supply.expected_days) <= at(minute) + timedelta(days=WITHIN_DAYS)
    )
    on_the_shelf = sum((quantity * formula[state] for state, quantity in used.items()), Decimal(0))
    return on_the_shelf, on_the_shelf + due * formula.get("inbound_due", 0)


def amiss(
    offered: Decimal, minute: int, known: dict[int, tuple[Decimal, Decimal]]
) -> tuple[Decimal, Decimal] | None:
    """By hand: what is offered beyond the better of the two neighbours, and beyond nothing; and
    what is missing even of the shelf of the worse one."""
    before = [moment for moment in known if moment <= minute]
    behind = [moment for moment in known if moment > minute]
    near = [known[max(before)]] if before else []
    near += [known[min(behind)]] if behind else []
    if not near:
        return None
    shelves, promises = zip(*near, strict=True)
    most, least = max(*promises, Decimal(0)), max(min(shelves), Decimal(0))
    return max(offered - most, Decimal(0)), min(offered - least, Decimal(0))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    snapshots=snapshots,
    offered=offers,
    coming=supplies,
    common=formulas,
    of_role=st.none() | formulas,
    own=st.none() | formulas,
)
def test_an_offer_is_judged_by_the_formula_of_its_channel(
    judged: duckdb.DuckDBPyConnection,
    snapshots: dict[int, dict[str, Decimal]],
    offered: dict[int, Decimal],
    coming: list[Supply],
    common: dict[str, int],
    of_role: dict[str, int] | None,
    own: dict[str, int] | None,
) -> None:
    judged.execute("delete from promise_formulas")
    judged.execute("delete from position_balances")
    judged.execute("delete from inbound_supplies")
    for channel, formula in (("*", common), ("oms", of_role or {}), ("shop", own or {})):
        for state, factor in formula.items():
            within = WITHIN_DAYS if state == "inbound_due" else None
            judged.execute(
                "insert into promise_formulas values (?, ?, ?, ?)", [channel, state, factor, within]
            )
    for supply in coming:
        judged.execute(
            "insert into inbound_supplies values ('G', 'EAST', ?, ?, ?, ?)",
            [
                at(supply.known_from),
                None if supply.known_to is None else at(supply.known_to),
                None
                if supply.expected_days is None
                else NOON + timedelta(days=supply.expected_days),
                supply.pieces,
            ],
        )

    def tell(system: str, state: str, quantity: Decimal, moment: datetime) -> None:
        judged.execute(
            "insert into position_balances "
            "values (?, ?, 'G', 'EAST', ?, ?, ?, ?, 'p', 'k', ?, null)",
            [system, f"{system} {moment}", state, quantity, moment, moment, moment],
        )

    for minute, told in snapshots.items():
        for state, quantity in told.items():
            tell("wms", state, quantity, at(minute))
    for minute, quantity in offered.items():
        tell("shop", "available", quantity, at(minute, seconds=30))

    formula = own or of_role or common
    known = {}
    for minute, told in snapshots.items():
        if (sum_of := promised(told, formula, minute, coming)) is not None:
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
