"""Incidents for people: exceptions of one cause as one line, with what it hits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
from rich.console import Console
from rich.markup import escape

from registry.errors import ConfigurationError
from reporting import terminal
from reporting.lists import Row, records

STATUSES = ("open", "closed", "all")


def incident_rows(
    connection: duckdb.DuckDBPyConnection, status: str = "open", limit: int = 50
) -> tuple[list[Row], int]:
    """Rows of ``marts.incidents``, those that hit most first, and how many there are in all.

    Raises ConfigurationError for an unknown status.
    """
    if status not in STATUSES:
        raise ConfigurationError(f"no status '{status}'; there are: {', '.join(STATUSES)}")
    chosen = "from marts.incidents where $status in ('all', status)"
    rows = records(
        connection,
        f"select * {chosen} order by severity, greatest(order_count, waiting_order_count) desc, "
        "exception_count desc, opened_at, incident_id limit $limit",
        {"status": status, "limit": limit},
    )
    counted = connection.execute(f"select count(*) {chosen}", {"status": status}).fetchone()
    return rows, int(counted[0]) if counted else 0


def print_incidents(rows: Sequence[Mapping[str, Any]], total: int, console: Console) -> None:
    """One line an incident."""
    if not rows:
        console.print("No incidents: nothing disagrees beyond its grace.")
        return
    view = terminal.table()
    view.add_column("What", overflow="fold", ratio=3)
    view.add_column("Hits", overflow="fold", ratio=2)
    view.add_column("At risk, since (UTC)", justify="right", no_wrap=True)
    for row in rows:
        risks = row["values_at_risk"] or row["waiting_values"] or ()
        view.add_row(
            f"{row['rule_id']} [dim]{row['severity']}[/] {_what(row)}",
            _hits(row),
            "\n".join(
                [
                    *(terminal.amount(risk["amount"], risk["currency"]) for risk in risks),
                    terminal.moment(row["opened_at"], seconds=False),
                    terminal.state(row["status"]),
                ]
            ),
        )
    console.print(view)
    if total > len(rows):
        console.print(f"{len(rows)} of {total:,} shown; see more with --limit.")


def _what(row: Mapping[str, Any]) -> str:
    text = f"{escape(str(row['title']))}: {escape(str(row['shared']))}"
    if row["cause"] != "order":
        text += f" [dim]({escape(str(row['cause_title']).lower())})[/]"
    return text + f"\n[dim]for {escape(str(row['owner'] or 'nobody').replace('_', ' '))}[/]"


def _hits(row: Mapping[str, Any]) -> str:
    hit = ", ".join(
        _count(row[f"{what}_count"], what) for what in ("order", "customer") if row[f"{what}_count"]
    )
    if row["waiting_count"]:
        waiting = _count(row["waiting_count"], "overdue dut", "ies", "y")
        of = [
            _count(row[f"waiting_{what}_count"], what)
            for what in ("order", "customer")
            if row[f"waiting_{what}_count"]
        ]
        hit += f"{' of '.join([waiting, *of])} can't be judged"
    exceptions = _count(row["exception_count"], "exception")
    follow = f", {row['symptom_count']:,} of them follow" if row["symptom_count"] else ""
    return "\n".join(filter(None, (hit, f"[dim]{exceptions}{follow}[/]")))


def _count(number: int, what: str, many: str = "s", one: str = "") -> str:
    return f"{number:,} {what}{one if number == 1 else many}"
