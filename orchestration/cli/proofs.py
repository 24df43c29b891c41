"""Commands that prove the product: demo, scored worlds, the simulated engine, real systems."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.application import (
    Home,
    JsonPath,
    Orders,
    Port,
    Seed,
    World,
    WorldOrders,
    app,
    complain,
    console,
    say,
    write_json,
)
from registry.settings import load_settings


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
    result = run_demo(settings.home, target, port, say, **choices)
    print_summary(result.summary, console)
    if not result.changed:
        console.print("\n[bold]Nothing changed since the last run, and nothing was sent.[/bold]")
    console.print(f"\nThe same as JSON: {target}", markup=False)
    failed = result.score.missed + result.score.false + result.score.doubled + result.score.wrong
    if failed:
        for line in (*result.score.missed_faults, *result.score.false_exceptions):
            complain("score", line)
        raise typer.Exit(1)


@app.command()
def evaluate(
    home: Home = None,
    json_path: JsonPath = None,
    seeds: Annotated[int, typer.Option(min=0, help="How many worlds.")] = 10,
    first_seed: Annotated[int, typer.Option(min=0, help="Seed of the first; then one more.")] = 1,
    orders: Orders = 2000,
    jobs: Annotated[int, typer.Option(min=1, help="Worlds at a time.")] = os.cpu_count() or 1,
    page: Annotated[bool, typer.Option("--page", help="Also write docs/score.md.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep worlds that are not perfect.")] = False,
    world: Annotated[str, typer.Option(help="World file, or the name of one.")] = "full",
    into: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps the results, and is scored with all it holds."),
    ] = None,
) -> None:
    """Score the product over many pretend distributors, each judged by its own truth and ledger."""
    from orchestration.evaluation.command import Wanted, is_perfect
    from orchestration.evaluation.command import evaluate as run
    from orchestration.evaluation.one_world import WorldChoices
    from registry.settings import PROJECT_ROOT
    from reporting.score import print_score, write_page

    folder = load_settings(home).home
    choices = WorldChoices(orders, world=world)
    score = run(Wanted(seeds, first_seed, jobs, choices, keep, into), folder, say)
    target = json_path or folder / "evaluation.json"
    write_json(target, score)
    print_score(score, console)
    console.print(f"\nThe same as JSON: {target}", markup=False)
    if page:
        write_page(score, PROJECT_ROOT / "docs" / "score.md")
        say("wrote docs/score.md")
    if not is_perfect(score, world):
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
        seeds, first_seed, workers, lambda done, bad: say(f"{done:,} seeds, {bad} broken")
    )
    reliability.print_simulation(result, console)
    verdicts = []
    if mutants:
        verdicts = run_mutants(
            workers=workers,
            progress=lambda v: say(f"mutant {v.name}: {v.killed_by or 'survived'}"),
        )
    if mutants:
        result["mutants"] = as_rows(verdicts)
        reliability.print_mutants(result["mutants"], console)
    target = json_path or folder / "simulation.json"
    write_json(target, result)
    console.print(f"\nThe same as JSON: {target}", markup=False)
    if page:
        command = f"tallyman simulate --seeds {seeds} --first-seed {first_seed} --mutants --page"
        path = PROJECT_ROOT / "docs" / "reliability.md"
        reliability.write_page(result, result["mutants"], path, command)
        say("wrote docs/reliability.md")
    if result["failures"]:
        seed = int(next(iter(result["failures"])))
        trail = run_story(seed, keep_trail=True).trail
        whole = folder / f"simulation-seed-{seed}.txt"
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_text("\n".join(trail) + "\n", encoding="utf-8")
        reliability.print_trail(seed, trail, console)
        console.print(f"The whole story: {whole}", markup=False)
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
    result = run_real(settings.home, target, say)
    print_summary(result.summary, console)
    print_breaks(result.summary["breaks"], console)
    console.print(f"\nThe same as JSON: {target}", markup=False)
    if result.failures:
        for failure in result.failures:
            complain("score", failure)
        raise typer.Exit(1)
