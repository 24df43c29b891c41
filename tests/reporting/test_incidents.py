"""Incidents on a screen: what hits most comes first, and every figure has its unit."""

from __future__ import annotations

import duckdb
import pytest
from rich.console import Console

from registry.errors import ConfigurationError
from reporting.incidents import incident_rows, print_incidents

TABLE = """
create schema marts;
create table marts.incidents (
    incident_id varchar, cause varchar, cause_title varchar, rule_id varchar, title varchar,
    shared varchar, status varchar, severity varchar, owner varchar, opened_at timestamptz,
    exception_count bigint, symptom_count bigint, order_count bigint, customer_count bigint,
    values_at_risk struct(currency varchar, amount decimal(18, 6))[],
    waiting_count bigint, waiting_order_count bigint, waiting_customer_count bigint,
    waiting_values struct(currency varchar, amount decimal(18, 6))[]
);
insert into marts.incidents values
    ('i1', 'order', 'One order', 'S01', 'Shipped but not fulfilled', 'SO-1', 'open', 'S1',
     'order_desk', '2026-01-01 00:00:00+00', 4, 2, 1, 1,
     [{currency: 'EUR', amount: 10}, {currency: 'USD', amount: 357}], 0, 0, 0, null),
    ('i2', 'feed', 'A source', 'D01', 'Feed is silent', 'erp.[invoice]', 'open', 'S1', null,
     '2026-01-02 00:00:00+00', 1, 0, 0, 0, null, 1200, 300, 40,
     [{currency: 'USD', amount: 9000}]),
    ('i3', 'batch', 'One batch', 'O02', 'Absent in the ERP', '2026-01-01T00:00Z', 'closed', 'S2',
     'order_desk', '2026-01-01 00:00:00+00', 40, 0, 40, 12, null, 0, 0, 0, null);
"""


@pytest.fixture
def told():
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(TABLE)
        yield connection


def screen(rows, total, width=80) -> str:
    console = Console(width=width)
    with console.capture() as captured:
        print_incidents(rows, total, console)
    text = captured.get()
    assert max(map(len, text.splitlines())) <= width
    return text


def test_what_hits_most_orders_comes_first(told) -> None:
    rows, total = incident_rows(told)
    assert ([row["incident_id"] for row in rows], total) == (["i2", "i1"], 2)
    rows, total = incident_rows(told, status="all", limit=1)
    assert (len(rows), total) == (1, 3)
    assert "1 of 3 shown" in screen(rows, total)


def test_a_line_tells_the_blast_radius(told) -> None:
    text = " ".join(screen(*incident_rows(told, status="all"), width=200).split())
    for part in (
        "SO-1",
        "erp.[invoice]",
        "1,200 overdue duties of 300 orders of 40 customers can't be judged",
        "9,000.00 USD",
        "2 of them follow",
        "357.00 USD",
        "10.00 EUR",
        "(one batch)",
        "for order desk",
        "for nobody",
    ):
        assert part in text, part


def test_no_incident_is_good_news_and_an_unknown_status_is_named(told) -> None:
    assert "nothing disagrees" in screen([], 0)
    with pytest.raises(ConfigurationError, match="there are: open, closed, all"):
        incident_rows(told, status="pending")
