"""Quantities in base units, by exact fractions: held against Python's own, with the macros as they
stand."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import duckdb
import pytest
from build import PROJECT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import Environment

MACROS = PROJECT / "macros" / "units.sql"
CONVERT = "{{ base_quantity('maker', 'quantity', 'unit', 'pack_size', 'packs') }}"
MULTIPLY = "{{ exact_product('quantity', 'factor') }}"

quantities = st.decimals(-100_000, 100_000, places=6)
whole = st.integers(1, 1000)
units = st.dictionaries(
    st.sampled_from(["EA", "DZ", "CS", "PAL"]), st.tuples(whole, whole, st.booleans()), min_size=1
)
property_of = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute(
            "create table units (connector varchar, source_unit varchar, numerator bigint, "
            "denominator bigint, is_pack boolean)"
        )
        yield opened


def rendered(expression: str) -> str:
    text = MACROS.read_text(encoding="utf-8") + expression
    return Environment().from_string(text).render(ref=str)


CONVERTED = rendered(
    f"select {CONVERT} from (select $quantity::decimal(18,6) as quantity, $unit as unit, "
    "$pack_size::bigint as pack_size, $packs::bigint as packs)"
)
MULTIPLIED = rendered(
    f"select {MULTIPLY} from (select $quantity::decimal(18,6) as quantity, "
    "$factor::decimal(18,6) as factor)"
)


def one(connection: duckdb.DuckDBPyConnection, sql: str, **values: Any) -> Decimal | None:
    (row,) = connection.execute(sql, values).fetchall()
    return row[0]


def know(connection: duckdb.DuckDBPyConnection, known: dict[str, tuple[int, int, bool]]) -> None:
    connection.execute("delete from units")
    for unit, (numerator, denominator, is_pack) in known.items():
        connection.execute(
            "insert into units values ('maker', ?, ?, ?, ?), ('another', ?, 7, 11, false)",
            [unit, numerator, denominator, is_pack, unit],
        )


def exactly(value: Fraction) -> Decimal | None:
    """What six decimals hold without rounding."""
    millionths = value * 1_000_000
    fits = millionths.denominator == 1 and abs(value) < 10**12
    return Decimal(millionths.numerator).scaleb(-6) if fits else None


@property_of
@given(
    known=units,
    unit=st.sampled_from(["EA", "DZ", "CS", "PAL", "?"]),
    quantity=quantities,
    pack=st.none() | st.tuples(whole, whole),
)
def test_a_quantity_is_converted_exactly_or_not_at_all(
    connection: duckdb.DuckDBPyConnection,
    known: dict[str, tuple[int, int, bool]],
    unit: str,
    quantity: Decimal,
    pack: tuple[int, int] | None,
) -> None:
    know(connection, known)
    pack_size, packs = pack or (None, None)
    found = one(
        connection, CONVERTED, quantity=quantity, unit=unit, pack_size=pack_size, packs=packs
    )
    expected = None
    if unit in known and (pack or not known[unit][2]):
        numerator, denominator, is_pack = known[unit]
        of_pack = Fraction(*pack) if is_pack and pack else 1
        expected = exactly(Fraction(quantity) * Fraction(numerator, denominator) * of_pack)
    assert found == expected


@property_of
@given(fraction=st.tuples(whole, whole), quantity=st.integers(-10_000, 10_000))
def test_there_and_back_is_where_it_began(
    connection: duckdb.DuckDBPyConnection, fraction: tuple[int, int], quantity: int
) -> None:
    numerator, denominator = fraction
    know(
        connection, {"DZ": (numerator, denominator, False), "PAL": (denominator, numerator, False)}
    )
    # So many that the way there divides.
    told = Decimal(quantity * denominator)
    there = one(connection, CONVERTED, quantity=told, unit="DZ", pack_size=None, packs=None)
    assert there == quantity * numerator
    assert (
        one(connection, CONVERTED, quantity=there, unit="PAL", pack_size=None, packs=None) == told
    )


@property_of
@given(quantity=quantities, scale=st.integers(1, 60), pack=whole)
def test_another_unit_of_the_same_amount_gives_the_same(
    connection: duckdb.DuckDBPyConnection, quantity: Decimal, scale: int, pack: int
) -> None:
    know(connection, {"EA": (1, 1, False), "CS": (1, 1, True), "DZ": (1, scale, False)})
    asked = {"pack_size": pack, "packs": 1}
    pieces = one(connection, CONVERTED, quantity=quantity, unit="EA", **asked)
    assert one(connection, CONVERTED, quantity=quantity * scale, unit="DZ", **asked) == pieces
    cases = one(connection, CONVERTED, quantity=quantity, unit="CS", **asked)
    assert cases == one(connection, CONVERTED, quantity=quantity * pack, unit="EA", **asked)


@property_of
@given(quantity=quantities, factor=st.decimals(0, 100_000, places=6))
def test_a_told_factor_multiplies_exactly_or_not_at_all(
    connection: duckdb.DuckDBPyConnection, quantity: Decimal, factor: Decimal
) -> None:
    found = one(connection, MULTIPLIED, quantity=quantity, factor=factor)
    assert found == exactly(Fraction(quantity) * Fraction(factor))


def test_what_does_not_divide_is_refused_and_not_rounded(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    know(connection, {"EA": (1, 3, False)})
    ask = {"unit": "EA", "pack_size": None, "packs": None}
    assert one(connection, CONVERTED, quantity=3, **ask) == 1
    assert one(connection, CONVERTED, quantity=1, **ask) is None
    assert one(connection, MULTIPLIED, quantity=Decimal("0.000001"), factor=Decimal("0.5")) is None
    assert one(connection, MULTIPLIED, quantity=2_000_000, factor=2_000_000) is None, "too great"
