"""Local times of a configured zone, written as a constant, are those that the column gives."""

from __future__ import annotations

from datetime import datetime, timedelta

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment

from registry.settings import PROJECT_ROOT

CLOCKS = PROJECT_ROOT / "dbt_project" / "macros" / "clocks.sql"
ZONES = ("America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "UTC")
# Around the nights in which daylight saving begins and ends, and anywhere.
NIGHTS = (datetime(2026, 3, 29), datetime(2026, 10, 25), datetime(2026, 11, 1))
local_times = st.one_of(
    st.builds(
        lambda night, minutes: night + timedelta(minutes=minutes),
        st.sampled_from(NIGHTS),
        st.integers(-120, 420),
    ),
    st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1)),
)


def written(zones: tuple[str, ...]) -> str:
    text = CLOCKS.read_text(encoding="utf-8") + "{{ local_instant('told', 'at') }}"
    known = {"time_zones": list(zones)}
    return Environment().from_string(text).render(var=lambda name, otherwise: known[name])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ZONES), local_times), min_size=1, max_size=20))
def test_constants_change_nothing(rows: list[tuple[str, datetime]]) -> None:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(
            "create table said (time_zone text, told timestamp, clock_ahead interval,"
            " clock_ahead_most interval, clock_ahead_least interval)"
        )
        clock = [timedelta(seconds=seconds) for seconds in (3, 5, 1)]
        connection.executemany(
            "insert into said values (?, ?, ?, ?, ?)", [[*row, *clock] for row in rows]
        )
        by_column = connection.execute(f"select {written(())} from said").fetchall()
        # The last of the zones is not among the configured ones.
        by_constant = connection.execute(f"select {written(ZONES[:-1])} from said").fetchall()
    assert by_constant == by_column
