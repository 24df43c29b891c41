"""Which orders wait for goods in trouble: the model as it stands against pegging piece by piece."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import duckdb
import pytest
from build import PROJECT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import Environment
from rich.console import Console

from reporting.promises import print_promises, promises

MODELS = PROJECT / "models"
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
TABLES = """
create table order_events (object_id text, order_line_id text, object_type text, role text,
    milestone text, quantity decimal(18, 6), promised_at timestamptz, recorded_to timestamptz,
    reversed_from timestamptz, item_id text, location_id text);
create table order_lifecycle (order_line_id text, order_id text, party_id text, item_id text,
    location_id text, ordered_quantity decimal(18, 6), shipped_quantity decimal(18, 6),
    delivered_quantity decimal(18, 6), captured_at timestamptz, accepted_at timestamptz,
    ordered_at timestamptz, cancelled_at timestamptz, delivered_at timestamptz,
    unit_price decimal(18, 6), currency text);
create table inventory_state (item_id text, location_id text, state text,
    canonical_quantity decimal(18, 6));
create table judged_exceptions (object_id text, rule_id text, status text);
create table rules (rule_id text, family text, a_role text, a_milestone text, object_type text);
create table promise_judgements (a_system text, b_system text, item_id text, location_id text,
    judged_at timestamptz, copy_quantity decimal(18, 6), residual_quantity decimal(18, 6),
    copy_raw_key text, channel text);
insert into rules values ('P02', 'presence', 'supplier', 'ordered', 'order_line'),
    ('P01', 'presence', 'supplier', 'ordered', 'purchase_order'),
    ('O02', 'presence', 'oms', 'accepted', 'order_line');
"""


class Sale(NamedTuple):
    """An order line: pieces ordered and shipped, and the day of its promise, if any."""

    ordered: int
    shipped: int
    promised: int | None


class Purchase(NamedTuple):
    """A purchase order line: pieces ordered, granted (None: no answer) and received, and the day
    that was promised."""

    ordered: int
    granted: int | None
    received: int
    expected: int
    is_late: bool


days = st.integers(1, 9)
sales = st.lists(
    st.builds(Sale, st.integers(1, 9), st.integers(0, 9), st.none() | days), max_size=6
)
purchases = st.lists(
    st.builds(
        Purchase,
        st.integers(1, 9),
        st.none() | st.integers(0, 9),
        st.integers(0, 9),
        days,
        st.booleans(),
    ),
    max_size=5,
)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute("set TimeZone = 'UTC'")
        opened.execute(TABLES)
        opened.execute("create schema marts")
        opened.execute("set search_path = 'main,marts'")
        for schema, name in (
            ("main", "inbound_supplies"),
            ("marts", "open_order_lines"),
            ("marts", "promise_impact"),
            ("marts", "oversell"),
        ):
            (path,) = MODELS.rglob(f"{name}.sql")
            text = path.read_text(encoding="utf-8")
            query = Environment().from_string(text).render(ref=str, config=lambda **settings: "")
            opened.execute(f"create view {schema}.{name} as {query}")
        yield opened


def day(number: int | None) -> datetime | None:
    return None if number is None else NOON + timedelta(days=number)


def tell(
    connection: duckdb.DuckDBPyConnection,
    shelf: dict[str, int],
    sold: list[Sale],
    bought: list[Purchase],
) -> None:
    for table in ("order_events", "order_lifecycle", "inventory_state", "judged_exceptions"):
        connection.execute(f"delete from {table}")
    for state, pieces in shelf.items():
        connection.execute(
            "insert into inventory_state values ('G', 'EAST', ?, ?)", [state, pieces]
        )
    for number, line in enumerate(sold):
        name = f"SO-{number}/1"
        connection.execute(
            "insert into order_lifecycle values (?, ?, 'C1', 'G', 'EAST', ?, ?, null, ?, null, "
            "null, null, null, 2.5, 'EUR')",
            [name, f"SO-{number}", line.ordered, line.shipped or None, day(0)],
        )
        said(connection, name, "oms", "captured", line.ordered, line.promised)
    for number, line in enumerate(bought):
        name = f"PO-{number}/1"
        said(connection, name, "supplier", "ordered", line.ordered, None)
        if line.granted is not None:
            said(connection, name, "supplier", "acknowledged", line.granted, line.expected)
        if line.received:
            said(connection, name, "wms", "received", line.received, None)
        if line.is_late:
            connection.execute("insert into judged_exceptions values (?, 'P02', 'open')", [name])


def said(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    role: str,
    milestone: str,
    pieces: int,
    promised: int | None,
) -> None:
    connection.execute(
        "insert into order_events values (?, ?, 'order_line', ?, ?, ?, ?, ?, null, 'G', 'EAST')",
        [name, name, role, milestone, pieces, day(promised), NOON],
    )


def by_hand(
    shelf: dict[str, int], sold: list[Sale], bought: list[Purchase]
) -> dict[tuple[str, str], tuple[int, int]]:
    """(order line, purchase order line) -> (pieces pegged, pieces that were declined)."""
    sellable = max(shelf.get("on_hand", 0) - shelf.get("damaged", 0), 0)
    pieces: list[tuple[str | None, bool, bool, int | None]] = [
        (None, False, False, None)
    ] * sellable
    coming = sorted(
        enumerate(bought),
        key=lambda one: (one[1].expected if one[1].granted is not None else 99, one[0]),
    )
    for number, line in coming:
        granted = line.ordered if line.granted is None else min(line.granted, line.ordered)
        expected = None if line.granted is None else line.expected
        for nth in range(line.received, line.ordered):
            pieces.append((f"PO-{number}/1", nth >= granted, line.is_late, expected))
    found: dict[tuple[str, str], tuple[int, int]] = {}
    waiting = sorted(
        enumerate(sold),
        key=lambda one: (99 if one[1].promised is None else one[1].promised, one[0]),
    )
    position = 0
    for number, sale in waiting:
        taken = pieces[position : position + max(sale.ordered - sale.shipped, 0)]
        position += max(sale.ordered - sale.shipped, 0)
        for purchase in {name for name, *_ in taken if name}:
            own = [piece for piece in taken if piece[0] == purchase]
            declined = sum(is_declined for _, is_declined, _, _ in own)
            _, _, is_late, expected = own[0]
            is_after = bool(expected and sale.promised and expected > sale.promised)
            if declined or is_late or is_after:
                found[f"SO-{number}/1", purchase] = (len(own), declined)
    return found


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    shelf=st.fixed_dictionaries(
        {}, optional={s: st.integers(0, 9) for s in ("on_hand", "damaged")}
    ),
    sold=sales,
    bought=purchases,
)
def test_each_piece_goes_to_the_earliest_promise_that_waits(
    connection: duckdb.DuckDBPyConnection,
    shelf: dict[str, int],
    sold: list[Sale],
    bought: list[Purchase],
) -> None:
    tell(connection, shelf, sold, bought)
    rows = connection.execute(
        "select order_line_id, purchase_line_id, pegged_quantity, short_quantity, value_at_risk "
        "from promise_impact"
    ).fetchall()
    found = {(sale, purchase): (pegged, short) for sale, purchase, pegged, short, _ in rows}
    assert found == by_hand(shelf, sold, bought)
    assert all(value == pegged * 5 / 2 for _, _, pegged, _, value in rows)


def test_a_trouble_of_the_whole_purchase_order_is_one_of_its_lines(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    tell(connection, {}, [Sale(5, 0, None)], [Purchase(5, None, 0, 1, False)])
    assert connection.execute("select * from promise_impact").fetchall() == []
    connection.execute(
        "insert into judged_exceptions values ('PO-0', 'P01', 'open'), ('PO-0', 'O02', 'open'), "
        "('PO-0/1', 'P02', 'closed')"
    )
    rows = connection.execute("select order_line_id, rule_ids from promise_impact").fetchall()
    assert rows == [("SO-0/1", ["P01"])]


def test_what_is_offered_too_much_is_listed_with_those_who_wait(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    tell(connection, {}, [Sale(5, 2, None), Sale(4, 0, 3), Sale(4, 4, 1)], [])
    connection.execute("delete from promise_judgements")
    for minute, (offered, beyond) in enumerate([(50, 40), (12, 8)]):
        connection.execute(
            "insert into promise_judgements "
            "values ('oms', 'wms', 'G', 'EAST', ?, ?, ?, 'k', 'web')",
            [NOON + timedelta(minutes=minute), offered, beyond],
        )
    # The same offer is not too little.
    connection.execute(
        "insert into promise_judgements values ('oms', 'wms', 'G', 'EAST', ?, 12, 0, 'k', 'web')",
        [NOON + timedelta(minutes=1)],
    )
    rows = connection.execute(
        "select offered_quantity, promisable_quantity, oversold_quantity, waiting_quantity, "
        "order_line_ids from oversell"
    ).fetchall()
    assert rows == [(12, 4, 8, 7, ["SO-1/1", "SO-0/1"])]
    connection.execute(
        "insert into promise_judgements values ('oms', 'wms', 'G', 'EAST', ?, 4, 0, 'k', 'web')",
        [NOON + timedelta(minutes=2)],
    )
    assert connection.execute("select * from oversell").fetchall() == [], "the newest one counts"


def test_the_rest_of_what_was_delivered_in_part_is_waited_for(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    tell(connection, {}, [Sale(10, 4, None), Sale(10, 4, None), Sale(10, 0, None)], [])
    for line, pieces in (("SO-0/1", 4), ("SO-1/1", None), ("SO-2/1", 7)):
        connection.execute(
            "update order_lifecycle set delivered_at = ?, delivered_quantity = ? "
            "where order_line_id = ?",
            [NOON, pieces, line],
        )
    rows = connection.execute(
        "select order_line_id, open_quantity from open_order_lines order by all"
    ).fetchall()
    assert rows == [("SO-0/1", 6), ("SO-2/1", 3)]


def test_the_lists_name_who_waits_for_what(connection: duckdb.DuckDBPyConnection) -> None:
    tell(connection, {}, [Sale(5, 0, 3), Sale(4, 0, 4)], [Purchase(5, 4, 0, 8, True)])
    connection.execute(
        "insert into promise_judgements values ('oms', 'wms', 'G', 'EAST', ?, 12, 8, 'k', 'web')",
        [NOON + timedelta(hours=1)],
    )
    console = Console(width=200, file=io.StringIO())
    found = promises(connection)
    print_promises(found, console)
    text = console.file.getvalue()
    assert "1 orders wait" in text and "Offered beyond" in text
    (waits,) = [line for line in text.splitlines() if "PO-0/1" in line]
    for told in ("SO-0/1", "G@EAST", "2026-11-18 12:00", " 5 ", " 1 ", "P02", "12.50 EUR"):
        assert told in waits, told
    (offer,) = [line for line in text.splitlines() if line.strip().startswith("oms/web")]
    assert "SO-0/1, SO-1/1" in offer
    console = Console(width=200, file=io.StringIO())
    print_promises({"impact": [], "oversell": []}, console)
    assert console.file.getvalue().count("No ") == 2
