"""Promises at stake: orders that wait for goods in trouble, and offers that nobody can keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
from rich.console import Console
from rich.markup import escape

from reporting import terminal
from reporting.lists import Row, records

_IMPACT = """
select *
from marts.promise_impact
order by promised_at nulls last, order_line_id, purchase_line_id
"""

_OVERSELL = """
select *
from marts.oversell
order by oversold_quantity desc, channel_system, channel, item_id, location_id
"""

SHOWN_LINES = 5


def promises(connection: duckdb.DuckDBPyConnection) -> dict[str, list[Row]]:
    """Rows of ``marts.promise_impact`` (``impact``) and ``marts.oversell`` (``oversell``), the most
    urgent first."""
    return {
        "impact": records(connection, _IMPACT),
        "oversell": records(connection, _OVERSELL),
    }


def print_promises(
    found: Mapping[str, Sequence[Mapping[str, Any]]], console: Console, limit: int = 50
) -> None:
    """One line an order line and purchase order line, then one an offer."""
    _print_impact(found["impact"], console, limit)
    _print_oversell(found["oversell"], console, limit)


def _print_impact(rows: Sequence[Mapping[str, Any]], console: Console, limit: int) -> None:
    if not rows:
        console.print("No order waits for goods that are late or short.")
        return
    orders = len({row["order_id"] for row in rows})
    view = terminal.table(title=f"{orders:,} orders wait for goods that are late or short")
    for heading in ("Order line", "Promised (UTC)", "Item", "Waits for", "Expected (UTC)"):
        view.add_column(heading, overflow="fold")
    for heading in ("Pieces", "Declined"):
        view.add_column(heading, justify="right")
    view.add_column("Rules", overflow="fold")
    view.add_column("At risk", justify="right")
    for row in rows[:limit]:
        view.add_row(
            escape(row["order_line_id"]),
            terminal.moment(row["promised_at"], seconds=False),
            escape(f"{row['item_id']}@{row['location_id']}"),
            escape(row["purchase_line_id"]),
            terminal.moment(row["expected_at"], seconds=False),
            terminal.number(row["pegged_quantity"]),
            terminal.number(row["short_quantity"]),
            ", ".join(row["rule_ids"]),
            terminal.amount(row["value_at_risk"], row["currency"]),
        )
    console.print(view)
    _say_more(rows, console, limit)


def _print_oversell(rows: Sequence[Mapping[str, Any]], console: Console, limit: int) -> None:
    if not rows:
        console.print("No channel offers more than can be promised.")
        return
    view = terminal.table(title="Offered beyond what can be promised")
    for heading in ("Channel", "Item"):
        view.add_column(heading, overflow="fold")
    for heading in ("Offered", "Promisable", "Too much", "Waiting"):
        view.add_column(heading, justify="right")
    view.add_column("Orders that wait", overflow="fold")
    for row in rows[:limit]:
        lines = row["order_line_ids"]
        more = ", …" if len(lines) > SHOWN_LINES else ""
        view.add_row(
            escape("/".join(filter(None, (row["channel_system"], row["channel"])))),
            escape(f"{row['item_id']}@{row['location_id']}"),
            *(
                terminal.number(row[f"{name}_quantity"])
                for name in ("offered", "promisable", "oversold", "waiting")
            ),
            escape(", ".join(lines[:SHOWN_LINES]) + more),
        )
    console.print(view)
    _say_more(rows, console, limit)


def _say_more(rows: Sequence[Mapping[str, Any]], console: Console, limit: int) -> None:
    if len(rows) > limit:
        console.print(f"{limit} of {len(rows):,} shown; see more with --limit or --json.")
