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
export_app = typer.Typer(help="The published build in open formats.", no_args_is_help=True)
writeback_app = typer.Typer(help="Stop and start the sending.", no_args_is_help=True)
sandbox_app = typer.Typer(help="The pretend distributor.", no_args_is_help=True)
app.add_typer(corrections_app, name="corrections")
app.add_typer(writeback_app, name="writeback")
app.add_typer(sandbox_app, name="sandbox")
app.add_typer(export_app, name="export")

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
def simulate(
    home: Home = None,
    json_path: JsonPath = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many stories.")] = 500,
    first_seed: Annotated[int, typer.Option(min=0, help="Seed of the first; then one more.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    mutants: Annotated[
        bool, typer.Option("--mutants", help="Also kill the mutants of the engine.")
    ] = False,
    page: Annotated[
        bool, typer.Option("--page", help="Also write docs/reliability.md (wants --mutants).")
    ] = False,
) -> None:
    """Run the correction engine on virtual time against systems that misbehave by seed.

    Fails when a property is broken, with the events of the first such seed, or when a family of
    faults never fired (from 300 seeds on).
    """
    from registry.settings import PROJECT_ROOT
    from reporting import reliability
    from writeback.simulation import many
    from writeback.simulation.mutants import as_rows, run_mutants, survivors
    from writeback.simulation.story import run_story

    if page and not mutants:
        raise typer.BadParameter("--page shows the mutants too: add --mutants")
    folder = load_settings(home).home
    result = many.simulate(
        seeds, first_seed, workers, lambda done, bad: _say(f"{done:,} seeds, {bad} broken")
    )
    reliability.print_simulation(result, console)
    verdicts = run_mutants(workers=workers) if mutants else []
    if mutants:
        result["mutants"] = as_rows(verdicts)
        reliability.print_mutants(result["mutants"], console)
    target = json_path or folder / "simulation.json"
    _write_json(target, result)
    console.print(f"\nThe same as JSON: {target}")
    if page:
        command = f"tallyman simulate --seeds {seeds} --first-seed {first_seed} --mutants --page"
        path = PROJECT_ROOT / "docs" / "reliability.md"
        reliability.write_page(result, result["mutants"], path, command)
        _say("wrote docs/reliability.md")
    if result["failures"]:
        seed = int(next(iter(result["failures"])))
        trail = run_story(seed, keep_trail=True).trail
        whole = folder / f"simulation-seed-{seed}.txt"
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_text("\n".join(trail) + "\n", encoding="utf-8")
        reliability.print_trail(seed, trail, console)
        console.print(f"The whole story: {whole}")
    if not many.is_clean(result) or any(survivors(verdicts)):
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
            _write_json(json_path, rows)
        else:
            trial = trials.backtest(
                connection, rule, trials.minutes_of(setting), trials.since_of(since)
            )
            trials.print_backtest(trial, console)
            _write_json(json_path, trial)


@export_app.command("ocel")
def export_ocel(path: Path, home: Home = None) -> None:
    """The published build as an OCEL 2.0 event log (.sqlite or .json) for process mining."""
    from reporting.exports import ocel
    from reporting.publish import published_connection

    with published_connection(load_settings(home)) as connection:
        written = ocel.export_ocel(connection, path)
    console.print(
        f"{path}: {written.events:,} events ({written.milestones:,} milestones), "
        f"{written.objects:,} objects ({written.orders:,} orders), {written.relations:,} relations",
        soft_wrap=True,
    )


@export_app.command("epcis")
def export_epcis(path: Path, home: Home = None) -> None:
    """The milestones of the published build as an EPCIS 2.0 document (JSON-LD)."""
    from datetime import UTC, datetime

    from reporting.exports import epcis
    from reporting.publish import published_connection

    with published_connection(load_settings(home)) as connection:
        written = epcis.export_epcis(connection, path, datetime.now(UTC))
    console.print(
        f"{path}: {written.events:,} events, {written.declared_errors:,} with an error declaration",
        soft_wrap=True,
    )


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


Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
TargetName = Annotated[
    str | None, typer.Option("--target", help="Only this system; else all of them.")
]


def _agree(question: str, yes: bool) -> None:
    """Ask a person who can answer; a script has decided already."""
    if not yes and sys.stdin.isatty():
        typer.confirm(question, abort=True)


def _decide(action: str, key: str, actor: str, comment: str, yes: bool, home: Path | None) -> None:
    from orchestration.decisions import ON_ONE, decide

    store = _store(load_settings(home))
    key = _show_before(store, action, key, ON_ONE[action])
    _agree("Go on?", yes)
    _say(decide(store, action, key, actor, comment))


def _show_before(store: Any, action: str, key: str, consequence: str) -> str:
    """Say what is decided about, and what will happen; the whole key."""
    correction = store.get(key).correction
    _say(
        f"{correction.kind} of {correction.object_id} in {correction.target_system}, now "
        f"{correction.state}: {correction.old_value} becomes {correction.new_value}"
    )
    _say(f"{action}: {consequence}")
    return str(correction.correction_key)


def _decide_for_target(
    action: str, target: str | None, actor: str, comment: str, yes: bool, settings: Settings
) -> None:
    from orchestration.decisions import ON_TARGETS, decide_for_target
    from registry.systems import load_registry

    _say(f"{action} {target or 'every target'}: {ON_TARGETS[action]}")
    _agree("Go on?", yes)
    registry = load_registry(settings.systems_file)
    _say(decide_for_target(_store(settings), registry, action, target, actor, comment))


@corrections_app.command("approve")
def corrections_approve(
    key: str,
    actor: Actor,
    comment: Comment = "",
    yes: Yes = False,
    home: Home = None,
) -> None:
    """Let a waiting correction be sent, with the content that it has now."""
    _decide("approve", key, actor, comment, yes, home)


@corrections_app.command("reject")
def corrections_reject(
    key: str,
    actor: Actor,
    comment: Comment = "",
    yes: Yes = False,
    home: Home = None,
) -> None:
    """Never send a waiting correction."""
    _decide("reject", key, actor, comment, yes, home)


@corrections_app.command("hold")
def corrections_hold(
    key: str,
    actor: Actor,
    comment: Comment = "",
    yes: Yes = False,
    home: Home = None,
) -> None:
    """Keep an unsent correction back until somebody approves it."""
    _decide("hold", key, actor, comment, yes, home)


@corrections_app.command("retry")
def corrections_retry(
    key: str,
    actor: Actor,
    comment: Comment = "",
    yes: Yes = False,
    home: Home = None,
) -> None:
    """Try a refused, dead or unproven correction once more, as a new generation."""
    _decide("retry", key, actor, comment, yes, home)


@corrections_app.command("revert")
def corrections_revert(
    key: str,
    actor: Actor,
    comment: Comment = "",
    yes: Yes = False,
    home: Home = None,
    systems: Systems = None,
) -> None:
    """Take an applied correction back: send its inverse, if what it wrote is still there."""
    from orchestration.decisions import ON_ONE
    from orchestration.decisions import revert as take_back
    from orchestration.installation import Installation

    installation = Installation.load(load_settings(home, systems))
    key = _show_before(installation.store, "revert", key, ON_ONE["revert"])
    _agree("Go on?", yes)
    _say(take_back(installation, key, actor, comment))


@corrections_app.command("replay")
def corrections_replay(
    actor: Actor,
    target: TargetName = None,
    comment: Comment = "",
    yes: Yes = False,
    home: Home = None,
    systems: Systems = None,
) -> None:
    """Try all dead corrections once more, after an outage; each is read before it is sent."""
    settings = load_settings(home, systems)
    _decide_for_target("replay", target, actor, comment, yes, settings)


@corrections_app.command("audit")
def corrections_audit(home: Home = None) -> None:
    """Check that no entry of the log of decisions was changed, removed or put in."""
    report = _store(load_settings(home)).verify_audit()
    if report.problem is not None:
        errors.print(f"[red]the audit log is broken[/red] at {report.problem}")
        raise typer.Exit(1)
    _say(f"the audit log is whole: {report.entries:,} entries")


@writeback_app.command("pause")
def writeback_pause(
    actor: Actor,
    target: TargetName = None,
    comment: Comment = "",
    yes: Yes = False,
    home: Home = None,
    systems: Systems = None,
) -> None:
    """Stop all sending, or all sending to one target, in every process before its next request."""
    settings = load_settings(home, systems)
    _decide_for_target("pause", target, actor, comment, yes, settings)


@writeback_app.command("resume")
def writeback_resume(
    actor: Actor,
    target: TargetName = None,
    comment: Comment = "",
    yes: Yes = False,
    home: Home = None,
    systems: Systems = None,
) -> None:
    """Go on sending. What pauses one target and what pauses all are released each by itself."""
    settings = load_settings(home, systems)
    _decide_for_target("resume", target, actor, comment, yes, settings)


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
