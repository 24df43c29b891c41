"""The end of a run on one screen: what was read, what disagrees, what was put right and proved."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import duckdb
from rich.console import Console
from rich.markup import escape

from reporting import terminal
from reporting.lists import (
    Row,
    exception_rows,
    print_correction,
    print_corrections,
    print_exceptions,
    records,
)
from writeback.model import Correction

__all__ = [
    "build_summary",
    "exception_rows",
    "print_correction",
    "print_corrections",
    "print_exceptions",
    "print_summary",
]

# What an open exception waits for, by the state of the correction that would close it.
WAITS_FOR = {
    "awaiting_approval": "approval",
    "proposed": "delivery",
    "ready": "delivery",
    "sending": "delivery",
    "unknown": "delivery",
    "accepted": "proof",
    "verified": "a proposal",  # it is open anew
}
A_DECISION = "a decision"  # refused, dead, unproven, moot, reverted: nothing goes on by itself
NO_CORRECTION = "no correction"
A_PROPOSAL = "a proposal"


def build_summary(
    connection: duckdb.DuckDBPyConnection, corrections: Iterable[Correction] | None = None
) -> dict[str, Any]:
    """What a published build says, as plain values (amounts are decimal texts by currency)::

        systems: {<name>: {role, records, quarantined, incomplete_feeds}}
        order_lines: int
        exceptions: {opened, open, pending, by_rule: {<rule>: {title, opened, open, value_at_risk}}}
        corrections: {proposed, accepted, verified, awaiting_approval, refused, dead, by_state}
        open_exceptions: [{rule, object, title, value_at_risk, currency, waits_for, correction}]

    ``opened`` counts what people see, a rule and an object, once, still open or closed since.
    ``proposed`` counts all corrections, ``accepted`` those that a target ever accepted, the others
    those that stand there now. ``corrections``: the outbox as it is now. Without it, what the build
    loaded of it, with the build's own proofs applied, which lags behind by one delivery.
    """
    outbox = (
        _outbox_as_built(connection)
        if corrections is None
        else [
            {
                "correction_key": row.correction_key,
                "rule_id": row.rule_id,
                "object_id": row.object_id,
                "obligation_ids": row.obligation_ids,
                "state": str(row.state),
                "accepted_at": row.accepted_at,
                "created_at": row.created_at,
            }
            for row in corrections
        ]
    )
    lines = connection.execute("select count(*) from marts.order_lifecycle").fetchone()
    return {
        "systems": _systems(connection),
        "order_lines": int(lines[0]) if lines else 0,
        "exceptions": _exceptions(connection),
        "corrections": _corrections(outbox),
        "open_exceptions": _open_exceptions(connection, outbox),
    }


def _systems(connection: duckdb.DuckDBPyConnection) -> dict[str, Row]:
    """Records are told apart by their own identity: a record read twice is one."""
    systems: dict[str, Row] = {
        row["system"]: {
            "role": row["role"],
            "records": 0,
            "quarantined": row["quarantined"],
            "incomplete_feeds": row["incomplete_feeds"],
        }
        for row in records(
            connection,
            """
            select
                systems.system,
                systems.role,
                (
                    select count(distinct (entity, record_id))
                    from landing.quarantine as quarantine
                    where quarantine.system = systems.system
                ) as quarantined,
                (
                    select count(*)
                    from (
                        select arg_max(complete, load_order) as is_complete
                        from landing.extractions as extractions
                        where extractions.system = systems.system
                        group by extractions.entity
                    )
                    where not is_complete
                ) as incomplete_feeds
            from config.systems as systems
            where systems.role <> 'self'
            order by systems.system
            """,
        )
    }
    views = connection.execute(
        "select view_name from duckdb_views() where schema_name = 'landing' "
        "and contains(view_name, '__') order by view_name"
    ).fetchall()
    for (view,) in views:
        for system, count in connection.execute(
            f'select _system, count(distinct _record_id) from landing."{view}" group by _system'
        ).fetchall():
            if system in systems:
                systems[system]["records"] += count
    return systems


def _exceptions(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    rows = records(
        connection,
        """
        select
            rule_id,
            any_value(title) as title,
            object_id,
            bool_or(status = 'open') as is_open,
            bool_or(status in ('open', 'closed')) as was_opened,
            max(value_at_risk) filter (where status in ('open', 'closed')) as value_at_risk,
            any_value(currency) filter (where status in ('open', 'closed')) as currency
        from marts.exceptions
        group by rule_id, object_id
        order by rule_id, object_id
        """,
    )
    by_rule: dict[str, Any] = {}
    for row in rows:
        if not row["was_opened"]:
            continue
        rule = by_rule.setdefault(
            row["rule_id"],
            {"title": row["title"], "opened": 0, "open": 0, "value_at_risk": defaultdict(Decimal)},
        )
        rule["opened"] += 1
        rule["open"] += bool(row["is_open"])
        if row["value_at_risk"] is not None:
            rule["value_at_risk"][row["currency"] or "?"] += row["value_at_risk"]
    for rule in by_rule.values():
        rule["value_at_risk"] = {
            currency: f"{value:.2f}" for currency, value in sorted(rule["value_at_risk"].items())
        }
    return {
        "opened": sum(rule["opened"] for rule in by_rule.values()),
        "open": sum(rule["open"] for rule in by_rule.values()),
        "pending": sum(not row["was_opened"] for row in rows),
        "by_rule": by_rule,
    }


def _outbox_as_built(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    return records(
        connection,
        """
        with latest as (
            select *
            from landing.tallyman__corrections
            qualify row_number() over (
                partition by correction_key order by updated_at desc, _extracted_at desc
            ) = 1
        )

        select
            latest.correction_key,
            latest.rule_id,
            latest.object_id,
            case
                when latest.state = 'accepted' and proofs.verdict = 'verified' then 'verified'
                else latest.state
            end as state,
            latest.accepted_at,
            latest.created_at
        from latest
        left join reconciliation.correction_proofs as proofs
            on latest.correction_key = proofs.correction_key
        order by latest.created_at, latest.correction_key
        """,
    )


def _corrections(outbox: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    states = Counter(row["state"] for row in outbox)
    return {
        "proposed": len(outbox),
        "accepted": sum(row["accepted_at"] is not None for row in outbox),
        "verified": states["verified"],
        "awaiting_approval": states["awaiting_approval"],
        "refused": states["refused"],
        "dead": states["dead"],
        "by_state": dict(sorted(states.items())),
    }


def _open_exceptions(
    connection: duckdb.DuckDBPyConnection, outbox: Sequence[Mapping[str, Any]]
) -> list[Row]:
    """What is open now, and what it waits for: its own correction's, or that of its cause."""
    open_rows = records(
        connection,
        """
        select
            exceptions.rule_id,
            exceptions.object_id,
            any_value(exceptions.title) as title,
            list(exceptions.exception_id) as exception_ids,
            any_value(exceptions.order_line_id) as order_line_id,
            any_value(exceptions.document) as document,
            any_value(exceptions.object_type) as object_type,
            any_value(exceptions.item_id) as item_id,
            any_value(exceptions.location_id) as location_id,
            max(exceptions.value_at_risk) as value_at_risk,
            any_value(exceptions.currency) as currency,
            any_value(rules.correction_kind) as correction_kind,
            any_value(rules.depends_on) as depends_on
        from marts.exceptions as exceptions
        left join seeds.rules as rules on exceptions.rule_id = rules.rule_id
        where exceptions.status = 'open'
        group by exceptions.rule_id, exceptions.object_id
        order by exceptions.rule_id, exceptions.object_id
        """,
    )
    newest: dict[tuple[str, str], Mapping[str, Any]] = {}
    resolving: dict[str, Mapping[str, Any]] = {}
    for entry in sorted(outbox, key=lambda row: row["created_at"]):
        newest[entry["rule_id"], entry["object_id"]] = entry
        resolving.update(dict.fromkeys(entry.get("obligation_ids", ()), entry))

    def own_correction(row: Row) -> Mapping[str, Any] | None:
        # The outbox says itself what each resolves; what a build loaded of it does not.
        for exception_id in row["exception_ids"]:
            if exception_id in resolving:
                return resolving[exception_id]
        line = str(row["order_line_id"] or row["object_id"])
        # A correction may put a whole order or document right, an exception speaks of one line.
        names = (row["object_id"], line, line.rpartition("/")[0], row["document"])
        return next(
            (newest[row["rule_id"], name] for name in names if (row["rule_id"], name) in newest),
            None,
        )

    def cause_of(row: Row) -> Row | None:
        causes = set(str(row["depends_on"] or "").split("|"))
        line = row["order_line_id"] or row["object_id"]

        def concerns(other: Row) -> bool:
            if row["object_type"] == "position" and other["item_id"] == row["item_id"]:
                return other["location_id"] in (None, row["location_id"])
            return line in (other["order_line_id"], other["object_id"])

        return next(
            (other for other in open_rows if other["rule_id"] in causes and concerns(other)),
            None,
        )

    def waiting(row: Row, above: tuple[str, ...] = ()) -> tuple[str, Mapping[str, Any] | None]:
        """For its own correction; without one, for whatever its cause waits for."""
        correction = own_correction(row)
        if correction is not None:
            return WAITS_FOR.get(correction["state"], A_DECISION), correction
        cause = cause_of(row)
        if cause is not None and cause["rule_id"] not in above:
            return waiting(cause, (*above, row["rule_id"]))
        return (A_PROPOSAL if row["correction_kind"] else NO_CORRECTION), None

    result = []
    for row in open_rows:
        waits_for, correction = waiting(row)
        result.append(
            {
                "rule": row["rule_id"],
                "object": row["object_id"],
                "title": row["title"],
                "value_at_risk": None
                if row["value_at_risk"] is None
                else f"{row['value_at_risk']:.2f}",
                "currency": row["currency"],
                "waits_for": waits_for,
                "correction": correction["correction_key"] if correction else None,
            }
        )
    return result


def print_summary(summary: Mapping[str, Any], console: Console) -> None:
    """Prints whatever parts of the summary are there: a sync has no truth, a demo has."""
    _print_systems(summary, console)
    _print_exceptions_by_rule(summary["exceptions"], console)
    _print_corrections_by_state(summary["corrections"], console)
    _print_what_remains(summary.get("open_exceptions", []), console)
    if "truth" in summary:
        _print_score(summary["truth"], console)
    if "seconds" in summary:
        passes = len(summary.get("passes", []))
        in_passes = f" in {passes} pass{'es' if passes != 1 else ''}" if passes else ""
        console.print(f"[dim]{summary['seconds']:.0f} s{in_passes}[/dim]")


def _print_systems(summary: Mapping[str, Any], console: Console) -> None:
    view = terminal.table(title="What the systems said")
    view.add_column("System")
    view.add_column("Role")
    view.add_column("Records", justify="right")
    view.add_column("In quarantine", justify="right")
    view.add_column("Feeds not read to the end", justify="right")
    for name, system in summary["systems"].items():
        view.add_row(
            name,
            str(system.get("role", "")),
            f"{system['records']:,}",
            f"{system.get('quarantined', 0):,}",
            str(system.get("incomplete_feeds") or ""),
        )
    console.print(view)
    console.print(f"Order lines followed: [bold]{summary['order_lines']:,}[/bold]\n")


def _print_exceptions_by_rule(exceptions: Mapping[str, Any], console: Console) -> None:
    if not exceptions["by_rule"]:
        console.print("[green]No system contradicts another.[/green]\n")
        return
    view = terminal.table(title="Where they disagreed")
    view.add_column("Rule", no_wrap=True)
    view.add_column("What", overflow="fold")
    view.add_column("Opened", justify="right")
    view.add_column("Still open", justify="right")
    view.add_column("Value at risk", justify="right", overflow="fold")
    for rule, row in exceptions["by_rule"].items():
        view.add_row(
            rule,
            escape(str(row.get("title") or "")),
            str(row["opened"]),
            f"[bold red]{row['open']}[/]" if row["open"] else "[green]0[/]",
            terminal.amounts(row.get("value_at_risk", {})),
        )
    view.add_section()
    view.add_row("", "together", str(exceptions["opened"]), str(exceptions["open"]), "")
    console.print(view)
    if exceptions.get("pending"):
        console.print(
            f"[dim]{exceptions['pending']} more could not be judged yet: their grace is not over, "
            "or a feed has not said enough.[/dim]\n"
        )


def _print_corrections_by_state(corrections: Mapping[str, Any], console: Console) -> None:
    view = terminal.table(title="What was put right")
    view.add_column("Corrections")
    view.add_column("", justify="right")
    for name, label in (
        ("proposed", "proposed"),
        ("accepted", "accepted by the target"),
        ("verified", "verified by a later load"),
        ("awaiting_approval", "waiting for a person's approval"),
        ("refused", "refused by the target"),
        ("dead", "given up after retries"),
    ):
        style = {"verified": "green", "refused": "bold red", "dead": "bold red"}.get(name, "")
        count = corrections[name]
        view.add_row(label, f"[{style}]{count}[/]" if style and count else str(count))
    console.print(view)
    console.print()


def _print_what_remains(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    if not rows:
        return
    view = terminal.table(title="What remains open, and why")
    view.add_column("Rule", no_wrap=True)
    view.add_column("Object", overflow="fold", min_width=14)
    view.add_column("What", overflow="fold")
    view.add_column("At risk", justify="right", no_wrap=True)
    view.add_column("Waits for", no_wrap=True)
    shown = rows[:20]
    for row in shown:
        view.add_row(
            row["rule"],
            escape(str(row["object"])),
            escape(str(row["title"])),
            terminal.amount(row["value_at_risk"], row["currency"]),
            row["waits_for"],
        )
    console.print(view)
    if len(rows) > len(shown):
        console.print(f"… and {len(rows) - len(shown)} more: `tallyman exceptions`")
    console.print()


def _print_score(truth: Mapping[str, Any], console: Console) -> None:
    """The demo knows what it broke."""
    good = not (truth["missed"] or truth["false"] or truth["doubled"] or truth.get("wrong"))
    view = terminal.table(title="Held against the truth")
    view.add_column("Faults injected")
    for heading in ("Detectable", "Found", "Missed", "False alarms", "Decoys", "Applied twice"):
        view.add_column(heading, justify="right")
    view.add_row(
        *(
            str(truth[name])
            for name in (
                "injected",
                "detectable",
                "found",
                "missed",
                "false",
                "decoys",
                "doubled",
            )
        )
    )
    console.print(view)
    verdict = "[bold green]All found, nothing invented, nothing applied twice.[/]"
    console.print(verdict if good else "[bold red]Not as it should be.[/]")
