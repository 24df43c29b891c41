"""The command line. Each command loads what it needs and nothing else: `tallyman exceptions` must
not wait for Dagster to be imported."""

from __future__ import annotations

import getpass
import json
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from registry.errors import TallymanError
from registry.settings import Settings, load_settings

app = typer.Typer(
    help="Keeps ERP, WMS, OMS, carriers and suppliers telling the same story.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
corrections_app = typer.Typer(
    help="Look at corrections and decide about them.", no_args_is_help=True
)
sandbox_app = typer.Typer(help="The pretend distributor.", no_args_is_help=True)
app.add_typer(corrections_app, name="corrections")
app.add_typer(sandbox_app, name="sandbox")

console = Console(width=None, highlight=False)
errors = Console(stderr=True, highlight=False)

Home = Annotated[
    Path | None, typer.Option("--home", help="State folder (TALLYMAN_HOME, default .tallyman).")
]
Systems = Annotated[Path | None, typer.Option("--systems", help="Systems file (TALLYMAN_SYSTEMS).")]
JsonPath = Annotated[
    Path | None, typer.Option("--json", help="Also write the result as JSON here.")
]
Port = Annotated[int, typer.Option("--port", help="First of the five ports; 0 takes free ones.")]
Orders = Annotated[int, typer.Option("--orders", min=50, help="Orders of history.")]
World = Annotated[str, typer.Option("--world", help="World file of the sandbox, or its name.")]
WorldOrders = Annotated[
    int | None, typer.Option("--orders", min=50, help="Orders of history, if not the world's.")
]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of the pretend world.")]


def _say(message: str) -> None:
    console.print(f"[dim]·[/dim] {message}")


def _write_json(path: Path | None, content: Any) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")


@app.command()
def demo(
    home: Home = None,
    json_path: JsonPath = None,
    port: Port = 0,
    world: World = "demo",
    orders: WorldOrders = None,
    seed: Seed = None,
) -> None:
    """Run the whole loop against the pretend distributor, and score it against the known truth."""
    from orchestration.demo import run_demo
    from reporting.summary import print_summary

    settings = load_settings(home)
    target = json_path or settings.home / "demo.json"
    choices = {"world": world, "orders": orders, "seed": seed}
    result = run_demo(settings.home, target, port, _say, **choices)
    print_summary(result.summary, console)
    if not result.changed:
        console.print("\n[bold]Nothing changed since the last run, and nothing was sent.[/bold]")
    console.print(f"\nThe same as JSON: {target}")
    failed = result.score.missed + result.score.false + result.score.doubled + result.score.wrong
    if failed:
        for line in (*result.score.missed_faults, *result.score.false_exceptions):
            errors.print(f"[red]score[/red] {line}")
        raise typer.Exit(1)


@app.command()
def evaluate(
    home: Home = None,
    json_path: JsonPath = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many worlds.")] = 10,
    first_seed: Annotated[int, typer.Option(min=0, help="Seed of the first; then one more.")] = 1,
    orders: Orders = 2000,
    jobs: Annotated[int, typer.Option(min=1, help="Worlds at a time.")] = os.cpu_count() or 1,
    page: Annotated[bool, typer.Option("--page", help="Also write docs/score.md.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep worlds that are not perfect.")] = False,
    world: Annotated[str, typer.Option(help="World file, or the name of one.")] = "full",
) -> None:
    """Score the product over many pretend distributors, each judged by its own truth and ledger."""
    from orchestration.evaluation.command import Wanted, is_perfect
    from orchestration.evaluation.command import evaluate as run
    from orchestration.evaluation.one_world import WorldChoices
    from registry.settings import PROJECT_ROOT
    from reporting.score import print_score, write_page

    folder = load_settings(home).home
    choices = WorldChoices(orders, world=world)
    score = run(Wanted(seeds, first_seed, jobs, choices, keep), folder, _say)
    target = json_path or folder / "evaluation.json"
    _write_json(target, score)
    print_score(score, console)
    console.print(f"\nThe same as JSON: {target}")
    if page:
        write_page(score, PROJECT_ROOT / "docs" / "score.md")
        _say("wrote docs/score.md")
    if not is_perfect(score):
        raise typer.Exit(1)


@app.command()
def real(home: Home = None, json_path: JsonPath = None) -> None:
    """Run the whole loop against real systems, started here and broken by hand, with the score."""
    from orchestration.real import run_real
    from reporting.breaks import print_breaks
    from reporting.summary import print_summary

    settings = load_settings(home)
    target = json_path or settings.home / "real.json"
    result = run_real(settings.home, target, _say)
    print_summary(result.summary, console)
    print_breaks(result.summary["breaks"], console)
    console.print(f"\nThe same as JSON: {target}")
    if result.failures:
        for failure in result.failures:
            errors.print(f"[red]score[/red] {failure}")
        raise typer.Exit(1)


@app.command()
def dev(home: Home = None, port: Port = 8700, ui_port: int = 3000, orders: Orders = 5000) -> None:
    """Pretend distributor plus the Dagster UI, with schedules and sensors on."""
    from orchestration.dev import run_dev

    run_dev(load_settings(home).home, port, ui_port, orders, _say)


@app.command()
def sync(home: Home = None, systems: Systems = None, json_path: JsonPath = None) -> None:
    """One pass of the main job: load, build, check, publish, propose and prove corrections."""
    from orchestration.sync import run_sync

    settings = load_settings(home, systems)
    report = run_sync(settings, console, _say)
    _write_json(json_path, report.summary)
    if report.failed_feeds:
        for feed in report.failed_feeds:
            errors.print(f"[red]not read to the end[/red] {feed}")
        errors.print("Everything else went on. What could not be read is read by the next pass.")
        raise typer.Exit(1)


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

    with published_connection(load_settings(home)) as connection:
        rows, total = exception_rows(connection, status=status, rule=rule, limit=limit)
    print_exceptions(rows, total, console)


@app.command()
def incidents(
    home: Home = None,
    status: Annotated[str, typer.Option(help="open, closed or all.")] = "open",
    limit: Annotated[int, typer.Option(min=1)] = 50,
) -> None:
    """List what has gone wrong by its cause, with the orders, customers and money that it hits."""
    from reporting.incidents import incident_rows, print_incidents
    from reporting.publish import published_connection

    with published_connection(load_settings(home)) as connection:
        rows, total = incident_rows(connection, status=status, limit=limit)
    print_incidents(rows, total, console)


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

    past = as_of(load_settings(home), moment_of(moment, datetime.now(UTC)), _say)
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

    with published_connection(load_settings(home)) as connection:
        print_trace(trace_order(connection, order), console)


@app.command()
def doctor(home: Home = None, systems: Systems = None) -> None:
    """Check configuration, reachability, locks and versions."""
    from orchestration.doctor import examine

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    healthy = True
    for finding in examine(load_settings(home, systems)):
        healthy &= finding.ok
        mark = "[green]ok[/green]" if finding.ok else "[red]look[/red]"
        table.add_row(mark, finding.area, finding.detail)
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
        _say(f"wrote {page}")


def _store(settings: Settings) -> Any:
    from writeback.store import OperationsStore

    return OperationsStore(settings.operations_url)


@corrections_app.command("list")
def corrections_list(
    home: Home = None,
    state: Annotated[str | None, typer.Option(help="Only this state.")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 100,
) -> None:
    """Corrections, the newest first."""
    from reporting.summary import print_corrections

    rows = _store(load_settings(home)).list(state=state, limit=limit)
    print_corrections(rows, console)


@corrections_app.command("show")
def corrections_show(key: str, home: Home = None) -> None:
    """One correction with its payload, attempts and decisions. KEY may be shortened."""
    from reporting.summary import print_correction

    print_correction(_store(load_settings(home)).get(key), console)


Actor = Annotated[str, typer.Option("--as", help="Who decides.", default_factory=getpass.getuser)]
Comment = Annotated[str, typer.Option("--comment", "-m", help="Why.")]


@corrections_app.command("approve")
def corrections_approve(key: str, actor: Actor, comment: Comment = "", home: Home = None) -> None:
    """Let a waiting correction be sent. Binds to the payload as shown."""
    from writeback.approval import approve
    from writeback.clock import SystemClock

    approve(_store(load_settings(home)), key, actor, comment, SystemClock())
    _say(f"{key} approved by {actor}; the next delivery sends it")


@corrections_app.command("reject")
def corrections_reject(key: str, actor: Actor, comment: Comment = "", home: Home = None) -> None:
    """Never send a waiting correction."""
    from writeback.approval import reject
    from writeback.clock import SystemClock

    reject(_store(load_settings(home)), key, actor, comment, SystemClock())
    _say(f"{key} rejected by {actor}")


@sandbox_app.command("up")
def sandbox_up(
    home: Home = None,
    port: Port = 8700,
    world: World = "demo",
    orders: WorldOrders = None,
    seed: Seed = None,
    live: Annotated[
        float | None, typer.Option(min=1.0, help="Go on, this many times as fast as real time.")
    ] = None,
) -> None:
    """Serve the pretend distributor until interrupted, and write the systems file for it."""
    from threading import Event

    from orchestration.pretend import pretend_distributor

    folder = load_settings(home).home
    choices = {"orders": orders, "seed": seed, "live": live}
    with pretend_distributor(folder, port, world, **choices) as (settings, handle):
        for name, url in handle.urls.items():
            _say(f"{name:8} {url}")
        _say(f"look at an order, break it: {handle.urls['admin']}/")
        _say(f"systems file: {settings.systems_file}   (Ctrl-C stops)")
        Event().wait()


@sandbox_app.command("inject")
def sandbox_inject(
    kind: str,
    count: Annotated[int, typer.Option(min=1, max=50)] = 1,
    home: Home = None,
) -> None:
    """Break something in a running pretend distributor, already overdue."""
    from orchestration.pretend import inject

    for fault in inject(load_settings(home).home, kind, count):
        expected = ", ".join(f"{e['rule']} {e['object']}" for e in fault["expected"])
        _say(f"{fault['fault_id']} {kind}: expect {expected or 'nothing'}")


@sandbox_app.command("scale")
def sandbox_scale(
    out: Annotated[Path, typer.Option("--out", help="Folder of the data; empty to write them.")],
    events: Annotated[
        int | None, typer.Option("--events", min=1, help="Write at least so many order events.")
    ] = None,
    seed: Seed = None,
    serve: Annotated[bool, typer.Option("--serve", help="Serve the folder over HTTP.")] = False,
    port: Annotated[
        int, typer.Option("--port", help="Port to serve on; 0 takes a free one.")
    ] = 8790,
) -> None:
    """Write data of the same kinds by the million, for benchmarks, and serve them."""
    from threading import Event

    from orchestration.pretend import served_scale, write_scale

    if events is None and not serve:
        raise typer.BadParameter("say --events N to write, --serve to serve, or both")
    if events is not None:
        written = write_scale(out, events, seed)
        for name, count in written["counts"].items():
            _say(f"{name:14} {count:>12,}")
        rate = written["counts"]["order_events"] / written["seconds"]
        size = written["bytes"] / 1e6
        _say(f"{size:,.0f} MB in {written['seconds']:.1f} s, {rate:,.0f} order events a second")
        _say(f"read them: .venv/bin/tallyman sync --systems {out / 'systems.toml'}")
    if serve:
        with served_scale(out, port) as url:
            _say(f"OMS and WMS dialects at {url}   (Ctrl-C stops)")
            Event().wait()


def main() -> None:
    """Entry point: an error meant for people is one message and an exit code, never a traceback."""
    # The terminal shows what we say; what libraries warn of their own future is not for users.
    warnings.filterwarnings("ignore", message=".*currently in (beta|preview).*")
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        app()
    except TallymanError as error:
        errors.print(f"[red]tallyman:[/red] {error}", soft_wrap=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
