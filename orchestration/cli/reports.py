"""Commands that read a published build: what disagrees, what it hits, one order, the past."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.cli.application import Home, JsonPath, app, console, say, write_json
from registry.settings import Settings, load_settings


def _tell_age(settings: Settings) -> None:
    """The last line of a report: without it, that of a loop which stopped looks like today's."""
    from datetime import UTC, datetime

    from reporting import terminal
    from reporting.publish import published_at

    at = published_at(settings)
    when = f"{terminal.moment(at, seconds=False)} UTC, {terminal.ago(at, datetime.now(UTC))}"
    console.print(f"[dim]As of the build published {when}.[/dim]")


@app.command()
def exceptions(
    home: Home = None,
    status: Annotated[str, typer.Option(help="open, pending, closed or all.")] = "open",
    rule: Annotated[str | None, typer.Option(help="Only this rule, for example S01.")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
) -> None:
    """List the disagreements between systems."""
    from reporting.publish import published_connection
    from reporting.summary import exception_rows, print_exceptions

    settings = load_settings(home)
    with published_connection(settings) as connection:
        rows, total = exception_rows(connection, status=status, rule=rule, limit=limit)
    print_exceptions(rows, total, console)
    _tell_age(settings)


@app.command()
def incidents(
    home: Home = None,
    status: Annotated[str, typer.Option(help="open, closed or all.")] = "open",
    limit: Annotated[int, typer.Option(min=1)] = 50,
) -> None:
    """List what has gone wrong by its cause, with the orders, customers and money that it hits."""
    from reporting.incidents import incident_rows, print_incidents
    from reporting.publish import published_connection

    settings = load_settings(home)
    with published_connection(settings) as connection:
        rows, total = incident_rows(connection, status=status, limit=limit)
    print_incidents(rows, total, console)
    _tell_age(settings)


@app.command()
def backtest(
    rule: Annotated[str | None, typer.Option(help="Try another setting of this rule.")] = None,
    setting: Annotated[str, typer.Option("--set", help="What to try, such as grace=45m.")] = "",
    since: Annotated[str | None, typer.Option(help="Only duties since this day.")] = None,
    home: Home = None,
    json_path: JsonPath = None,
) -> None:
    """Another grace period tried on the past; without --rule, the graces that the past proposes."""
    from reporting import backtest as trials
    from reporting.publish import published_connection

    with published_connection(load_settings(home)) as connection:
        if rule is None:
            rows = trials.grace_rows(connection)
            trials.print_graces(rows, console)
            write_json(json_path, rows)
        else:
            trial = trials.backtest(
                connection, rule, trials.minutes_of(setting), trials.since_of(since)
            )
            trials.print_backtest(trial, console)
            write_json(json_path, trial)


@app.command()
def promises(
    home: Home = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    json_path: JsonPath = None,
) -> None:
    """List the orders that wait for goods in trouble, and offers beyond what can be promised."""
    from reporting.promises import print_promises
    from reporting.promises import promises as at_stake
    from reporting.publish import published_connection

    settings = load_settings(home)
    with published_connection(settings) as connection:
        found = at_stake(connection)
    print_promises(found, console, limit)
    _tell_age(settings)
    write_json(json_path, found)


@app.command()
def parity(
    old: Annotated[str, typer.Argument(help="The system that is to be replaced.")],
    new: Annotated[str, typer.Argument(help="The one of the same role that takes over.")],
    since: Annotated[str, typer.Option(help="Day or moment from which on, UTC.")],
    until: Annotated[str | None, typer.Option(help="The end; else what both have told.")] = None,
    by: Annotated[str, typer.Option(help="Count by day or month.")] = "day",
    tolerance: Annotated[
        int, typer.Option(min=0, help="Minutes within which moments count as one.")
    ] = 60,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    home: Home = None,
    json_path: JsonPath = None,
) -> None:
    """Whether two systems of one role tell the same over a period; exits with 1 if they do not."""
    from reporting import parity as sides
    from reporting.moments import asked_moment
    from reporting.publish import published_connection

    begin = asked_moment(since, "day", "2026-11-01")
    end = None if until is None else asked_moment(until, "day", "2026-12-01")
    with published_connection(load_settings(home)) as connection:
        report = sides.parity(connection, old, new, begin, end, by, tolerance)
    sides.print_parity(report, console, limit)
    write_json(json_path, report)
    if not report["has_parity"]:
        raise typer.Exit(1)


@app.command("as-of")
def as_of_moment(
    moment: Annotated[str, typer.Argument(help="ISO 8601, UTC unless it names a zone.")],
    order: Annotated[str | None, typer.Option(help="Trace this order instead.")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    home: Home = None,
) -> None:
    """What was open at a past moment, by what was known then; leaves the whole as a DuckDB file."""
    from datetime import UTC, datetime

    from orchestration.as_of import as_of, moment_of
    from reporting.as_of import print_known
    from reporting.summary import exception_rows, print_exceptions
    from reporting.trace import print_trace, trace_order

    past = as_of(load_settings(home), moment_of(moment, datetime.now(UTC)), say)
    known = [(feed.system, feed.records, feed.last_loaded_at) for feed in past.feeds]
    print_known(past.moment, known, past.file, console)
    with past.connection() as connection:
        if order is not None:
            print_trace(trace_order(connection, order), console)
        else:
            print_exceptions(*exception_rows(connection, limit=limit), console)


@app.command()
def trace(order: str, home: Home = None) -> None:
    """Every raw record, milestone, exception and correction of one order on one screen."""
    from reporting.publish import published_connection
    from reporting.trace import print_trace, trace_order

    settings = load_settings(home)
    with published_connection(settings) as connection:
        print_trace(trace_order(connection, order), console)
    _tell_age(settings)
