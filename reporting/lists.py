"""Lists for people: disagreements between systems, and corrections with what happened to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import InvalidOperation
from typing import Any

import duckdb
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from registry.errors import ConfigurationError
from reporting import terminal
from writeback.brakes import ClosedGate, Stop
from writeback.model import Correction, CorrectionDetail
from writeback.states import State

Row = dict[str, Any]

STATUSES = ("open", "pending", "closed", "all")


def exception_rows(
    connection: duckdb.DuckDBPyConnection,
    status: str = "open",
    rule: str | None = None,
    limit: int = 50,
) -> tuple[list[Row], int]:
    """Rows of ``marts.exceptions``, the most urgent first, and how many there are in all.

    Keys of a row: rule_id, title, object_id, status, severity, owner, system, counterpart_system,
    opened_at, due_at, closed_at, value_at_risk, currency, field, expected_value, observed_value,
    held_reason. Raises ConfigurationError for an unknown status.
    """
    if status not in STATUSES:
        raise ConfigurationError(f"no status '{status}'; there are: {', '.join(STATUSES)}")
    chosen = (
        "where (? = 'all' or status = ?) and (?::varchar is null or rule_id = ?)"
        " order by severity, coalesce(opened_at, due_at), rule_id, object_id"
    )
    values = [status, status, rule, rule]
    rows = records(
        connection,
        "select rule_id, title, object_id, status, severity, owner, system, counterpart_system, "
        "opened_at, due_at, closed_at, value_at_risk, currency, field, expected_value, "
        f"observed_value, held_reason from marts.exceptions {chosen} limit ?",
        [*values, limit],
    )
    counted = connection.execute(
        f"select count(*) from marts.exceptions {chosen.partition(' order by')[0]}", values
    ).fetchone()
    return rows, int(counted[0]) if counted else 0


def records(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    values: Sequence[Any] | Mapping[str, Any] = (),
) -> list[Row]:
    """Rows of a query as dictionaries; ``values`` by position (?) or by name ($name)."""
    cursor = connection.execute(sql, values)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def print_exceptions(rows: Sequence[Mapping[str, Any]], total: int, console: Console) -> None:
    """Two lines a disagreement, so that a terminal of 80 columns has room for what it is."""
    if not rows:
        console.print("No exceptions: nothing disagrees beyond its grace.")
        return
    view = terminal.table()
    view.add_column("Rule, object", overflow="fold", min_width=12)
    view.add_column("What", overflow="fold", ratio=1)
    view.add_column("Since (UTC)", no_wrap=True)
    view.add_column("At risk, owner", justify="right", overflow="fold")
    for row in rows:
        view.add_row(
            f"{row['rule_id']} [dim]{row['severity']}[/]\n{escape(str(row['object_id']))}",
            _what(row),
            f"{terminal.moment(row['opened_at'] or row['due_at'], seconds=False)}\n"
            f"{terminal.state(row['status'])}",
            f"{terminal.amount(row['value_at_risk'], row['currency'])}\n"
            f"[dim]{escape(str(row['owner'] or '').replace('_', ' '))}[/]",
        )
    console.print(view)
    _print_left_out(len(rows), total, console)


def _print_left_out(shown: int, total: int, console: Console) -> None:
    if total > shown:
        console.print(f"{shown} of {total:,} shown; see more with --limit.")


def _what(row: Mapping[str, Any]) -> str:
    text = escape(str(row["title"]))
    if row.get("expected_value") is not None or row.get("observed_value") is not None:
        expected, observed = _told(row.get("expected_value")), _told(row.get("observed_value"))
        field = escape(str(row.get("field") or "").replace("_", " "))
        text += f" [dim]({field + ': ' if field else ''}expected {expected}, seen {observed})[/]"
    if row.get("held_reason"):
        text += f" [dim](held: {escape(str(row['held_reason']))})[/]"
    return text


def _told(value: str | None) -> str:
    """A value as text; of a number without the zeros that its scale adds."""
    try:
        return terminal.number(value) or "nothing"
    except InvalidOperation:
        return escape(str(value))


def print_corrections(corrections: Sequence[Correction], total: int, console: Console) -> None:
    """One line a correction."""
    if not corrections:
        console.print("No corrections.")
        return
    view = terminal.table()
    view.add_column("Key", no_wrap=True)
    view.add_column("Rule", no_wrap=True)
    view.add_column("Change", overflow="fold", min_width=18)
    view.add_column("State", overflow="fold", min_width=8)
    view.add_column("At risk", justify="right", overflow="fold", min_width=8)
    view.add_column("Changed (UTC)", overflow="fold", min_width=10)
    for row in corrections:
        view.add_row(
            short_key(row.correction_key),
            row.rule_id,
            f"{row.kind.replace('_', ' ')} in {row.target_system}: {escape(row.object_id)}",
            _state(row),
            terminal.amount(row.value_at_risk, row.currency),
            terminal.moment(row.updated_at, seconds=False),
        )
    console.print(view)
    _print_left_out(len(corrections), total, console)


def _state(correction: Correction) -> str:
    """With what it waits for, where a person has to decide."""
    told = terminal.state(str(correction.state))
    codes = ", ".join(code.replace("_", " ") for code in correction.hold_codes)
    return f"{told}\n[dim]{codes}[/]" if correction.state is State.AWAITING_APPROVAL else told


def print_stops(stops: Sequence[Stop], closed: Sequence[ClosedGate], console: Console) -> None:
    """What a person stopped and what the checks hold, so that nobody wonders why nothing is sent;
    nothing if nothing is."""
    for told in (*map(stop_told, stops), *gates_told(closed)):
        console.print(f"[bold]{escape(told)}[/]")
    if stops or closed:
        console.print()


def gates_told(closed: Sequence[ClosedGate]) -> list[str]:
    """One sentence for all systems that the same holds; while a pass is at work it holds all."""
    alike: dict[str, list[ClosedGate]] = {}
    for one in closed:
        why = f": {one.gate.reason}" if one.gate.reason else ""
        alike.setdefault(f"{one.gate.outcome}{why}", []).append(one)
    return [
        f"Nothing is sent to {', '.join(one.gate.system for one in ones)}, or because of what is "
        f"read there, since {terminal.moment(min(one.since for one in ones), seconds=False)} UTC: "
        f"the gate is {why}"
        for why, ones in alike.items()
    ]


def stop_told(stop: Stop) -> str:
    """One sentence with the command that ends it."""
    where = f"'{stop.target_system}'" if stop.target_system else "any target"
    only = f" --target {stop.target_system}" if stop.target_system else ""
    why = f": {stop.reason}" if stop.reason else ""
    return (
        f"Nothing is sent to {where} since {terminal.moment(stop.since, seconds=False)} UTC, by "
        f"{stop.actor}{why}; it goes on by `tallyman writeback resume{only}`"
    )


def short_key(key: str) -> str:
    """Enough of a key to name a correction on the command line."""
    return key[:12]


def print_correction(detail: CorrectionDetail, console: Console) -> None:
    """One correction with its payload, attempts and decisions."""
    correction = detail.correction
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in (
        ("Key", correction.correction_key),
        ("State", terminal.state(str(correction.state))),
        ("Why in it", escape(correction.state_reason)),
        ("Rule", f"{correction.rule_id} on {escape(correction.object_id)}"),
        ("Change", f"{correction.kind} in {correction.target_system}"),
        ("From", escape(str(correction.old_value))),
        ("To", escape(str(correction.new_value))),
        ("At risk", terminal.amount(correction.value_at_risk, correction.currency)),
        ("Waits for", ", ".join(correction.hold_codes)),
        ("Record", escape(correction.target_record_id or "")),
        ("Idempotency key", correction.idempotency_key),
        ("Proposed", terminal.moment(correction.created_at)),
        ("Accepted", terminal.moment(correction.accepted_at)),
        ("Verified", terminal.moment(correction.verified_at)),
    ):
        if value:
            facts.add_row(name, value)
    console.print(facts)
    console.print("\n[bold]Payload[/bold]")
    console.print_json(data=correction.payload, default=str)
    console.print("[bold]Preconditions[/bold] [dim](read in both systems just before sending)[/]")
    console.print_json(data=correction.preconditions, default=str)
    if detail.attempts:
        view = terminal.table("When (UTC)", "Phase", "Result", "Code", "Message", title="Attempts")
        for attempt in detail.attempts:
            view.add_row(
                terminal.moment(attempt.started_at),
                attempt.phase,
                attempt.result,
                escape(attempt.code),
                escape(terminal.shortened(attempt.message, 200)),
            )
        console.print(view)
    if detail.decisions:
        view = terminal.table("When (UTC)", "Who", "Decision", "Why", title="Decisions")
        for decision in detail.decisions:
            view.add_row(
                terminal.moment(decision.decided_at),
                escape(decision.actor),
                decision.decision,
                escape(decision.comment),
            )
        console.print(view)
