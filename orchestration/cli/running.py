"""Commands that run the product: a pass, the Dagster UI, the check-up, the set-up."""

from __future__ import annotations

import typer
from rich.table import Table
from rich.text import Text

from orchestration.cli.application import (
    Home,
    JsonPath,
    Orders,
    Port,
    Systems,
    app,
    complain,
    console,
    errors,
    say,
    write_json,
)
from registry.settings import load_settings


@app.command()
def dev(home: Home = None, port: Port = 8700, ui_port: int = 3000, orders: Orders = 5000) -> None:
    """Pretend distributor plus the Dagster UI, with schedules and sensors on."""
    from orchestration.dev import run_dev

    run_dev(load_settings(home).home, port, ui_port, orders, say)


@app.command()
def sync(home: Home = None, systems: Systems = None, json_path: JsonPath = None) -> None:
    """One pass: load, build, check, publish, prove and propose corrections; then send what is due
    to systems whose write_mode is on."""
    from orchestration.sync import run_sync

    settings = load_settings(home, systems)
    report = run_sync(settings, console, say)
    write_json(json_path, report.summary)
    if report.failed_feeds:
        for feed in report.failed_feeds:
            complain("not read to the end", feed)
        errors.print("Everything else went on. What could not be read is read by the next pass.")
        raise typer.Exit(1)


@app.command()
def doctor(home: Home = None, systems: Systems = None) -> None:
    """Check configuration, reachability, locks and versions."""
    from orchestration.doctor import examine

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    healthy = True
    for finding in examine(load_settings(home, systems)):
        healthy &= finding.ok
        mark = "[green]ok[/green]" if finding.ok else "[red]look[/red]"
        table.add_row(mark, Text(finding.area), Text(finding.detail))
    console.print(table)
    if not healthy:
        raise typer.Exit(1)


@app.command(hidden=True)
def prepare(dictionary: bool = False) -> None:
    """Parse the dbt project (make setup) and, on request, regenerate the data dictionary."""
    from orchestration.dbt_build import parse

    settings = load_settings()
    path = parse(settings)
    if dictionary:
        from registry.settings import PROJECT_ROOT
        from reporting.dictionary import write_dictionary

        page = PROJECT_ROOT / "docs" / "data-dictionary.md"
        write_dictionary(path, page)
        say(f"wrote {page}")
