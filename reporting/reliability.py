"""The simulation for people: tables on the terminal, a seed's trail, docs/reliability.md."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from reporting import terminal
from reporting.real_processes import section_of
from writeback.simulation.faults import FAMILIES
from writeback.simulation.many import EXPOSED
from writeback.simulation.oracle import PROPERTIES

SHOWN_FAILURES = 10


def print_simulation(result: Mapping[str, Any], console: Console) -> None:
    """``result`` as in the JSON of ``tallyman simulate``."""
    view = terminal.table(title="Properties, and in how many seeds each was broken")
    view.add_column("Property")
    view.add_column("Broken", justify="right")
    view.add_column("It says", overflow="fold")
    for name, meaning in PROPERTIES.items():
        count = result[name]
        view.add_row(name, f"[red]{count}[/red]" if count else "0", meaning)
    console.print(view)
    console.print(
        f"{result['seeds']:,} seeds, {result['events']:,} events, "
        f"{result['simulated_days']:,} simulated days, {result['corrections']:,} corrections, "
        f"{result['requests']:,} requests, {result['effects']:,} effects"
    )
    console.print(
        f"{sum(result['faults'].values()):,} faults of {len(FAMILIES)} families, "
        f"{sum(result['kills'].values()):,} kills at {len(result['kills'])} points; "
        f"{result['seeds_per_cpu_second']} seeds a CPU second, {result['wall_seconds']:,} s"
    )
    if result["silent_families"]:
        console.print(f"[red]never fired[/red] {', '.join(result['silent_families'])}")
    for seed, what in list(result["failures"].items())[:SHOWN_FAILURES]:
        console.print(f"[red]seed {seed}[/red] {escape(what)}")
    if len(result["failures"]) > SHOWN_FAILURES:
        console.print(f"and {len(result['failures']) - SHOWN_FAILURES} more: see the JSON")


def print_trail(seed: int, trail: Sequence[str], console: Console, lines: int = 60) -> None:
    """The events of a seed that led to its first violation."""
    end = next((n for n, line in enumerate(trail) if "VIOLATION" in line), len(trail) - 1)
    console.print(f"\n[bold]Seed {seed}: what happened before[/bold] (second, process, who, what)")
    for line in trail[max(0, end + 1 - lines) : end + 1]:
        console.print(escape(line), soft_wrap=True)


def print_mutants(matrix: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Which mutant was killed by which property."""
    view = terminal.table(title="Mutants of the engine")
    for head in ("Mutant", "Killed by", "Seeds"):
        view.add_column(head, overflow="fold")
    for row in matrix:
        killed = escape(row["killed_by"]) if row["killed_by"] else "[red]survived[/red]"
        view.add_row(row["name"], killed, str(row["seeds"]))
    console.print(view)


def write_page(
    result: Mapping[str, Any], matrix: Sequence[Mapping[str, Any]], path: Path, command: str
) -> None:
    """docs/reliability.md out of one run's figures; its section on real processes stays."""
    kept = section_of(path.read_text(encoding="utf-8")) if path.exists() else ""
    pages = ["\n".join(_page(result, matrix, command)) + "\n", kept]
    path.write_text("\n".join(filter(None, pages)), encoding="utf-8")


def _bound(result: Mapping[str, Any], name: str) -> str:
    bound = result["upper_bounds"][name]
    return "-" if bound is None else f"{bound:.1e}"


def _page(
    result: Mapping[str, Any], matrix: Sequence[Mapping[str, Any]], command: str
) -> list[str]:
    today = datetime.now(UTC).date()
    machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return [
        "# Reliability",
        "",
        f"Written by `{command}` on {today} ({machine}). Do not edit: run it again. Other "
        "seeds give other stories: `tallyman simulate --seeds 500 --first-seed 70001 --json F`.",
        "",
        "The engine runs here as it is (outbox, leases, dispatch, verification, approvals, undo, "
        "brakes, on its own SQL), on virtual time, against systems that keep a complete ledger and "
        "misbehave by seed. Each seed has a phase with faults and one without, after which "
        "everything must come to rest. The properties are judged by the ledgers and the truth, "
        "never by our own tables. The same seed gives the same story, event by event.",
        "",
        "## Figures",
        "",
        "| | |",
        "|---|---:|",
        f"| seeds | {result['seeds']:,} (from {result['first_seed']:,}) |",
        f"| events | {result['events']:,} |",
        f"| simulated days | {result['simulated_days']:,} |",
        f"| corrections | {result['corrections']:,} |",
        f"| requests sent | {result['requests']:,} |",
        f"| effects in the systems | {result['effects']:,} |",
        f"| corrections verified | {result['verified']:,} |",
        f"| faults fired | {sum(result['faults'].values()):,} of {len(FAMILIES)} families |",
        f"| kills | {sum(result['kills'].values()):,} at {len(result['kills'])} points |",
        f"| passes until everything came to rest, p50 / p95 / max | {result['cycles_p50']:.0f} / "
        f"{result['cycles_p95']:.0f} / {result['cycles_max']:.0f} |",
        f"| seconds until then, p50 / p95 / max | {result['convergence_p50']:,.0f} / "
        f"{result['convergence_p95']:,.0f} / {result['convergence_max']:,.0f} |",
        f"| seeds a CPU second | {result['seeds_per_cpu_second']} |",
        f"| CPU seconds, wall seconds | {result['cpu_seconds']:,}, {result['wall_seconds']:,} |",
        "",
        "The longest rests are Retry-After answers of a day, which are honoured.",
        "",
        "## Properties",
        "",
        "In how many seeds each was broken. Where none of n did, the rate is below 3/n with 95 % "
        "confidence; n counts what the property is about.",
        "",
        "| Property | Broken | Rate below | Of | It says |",
        "|---|---:|---:|---|---|",
        *(
            f"| `{name}` | {result[name]} | {_bound(result, name)} | "
            f"{result[EXPOSED[name]]:,} {EXPOSED[name]} | {meaning} |"
            for name, meaning in PROPERTIES.items()
        ),
        "",
        "What it does not show: power loss (the store's flushes are SQLite's word), several "
        "machines, systems that misbehave in ways not listed, and the windows that "
        "[corrections.md](corrections.md) admits under *What remains*: nobody else writes between "
        "the last look at a record and the write where the system has no version to compare, and a "
        "request to a system without keys and versions is late by less than the first read back. "
        "Nor does it stop a process in the microseconds between its last look at its clocks and "
        "the first byte's leaving.",
        "",
        "## Faults",
        "",
        "Each family is on in about half of the seeds, so that they meet in all combinations.",
        "",
        "| Family | Fired | What happens |",
        "|---|---:|---|",
        *(
            f"| `{family.name}` | {result['faults'][family.name]:,} | {family.meaning} |"
            for family in FAMILIES.values()
        ),
        "",
        "## Kills",
        "",
        "| Killed at | Times |",
        "|---|---:|",
        *(f"| `{name}` | {count:,} |" for name, count in result["kills"].items()),
        "",
        *_mutants(matrix),
    ]


def _mutants(matrix: Sequence[Mapping[str, Any]]) -> list[str]:
    killed = sum(1 for row in matrix if row["killed_by"])
    return [
        "## Tests of the tests",
        "",
        f"Each mutant is a small named change of the engine that would do harm: {killed} of "
        f"{len(matrix)} are killed. *Seeds* is how many stories it survived at most; a named test "
        "kills what no story can show.",
        "",
        "| Mutant | What is wrong with it | Killed by | Seeds |",
        "|---|---|---|---:|",
        *(
            f"| `{row['name']}` | {row['meaning']} | {row['killed_by'] or '**survived**'} "
            f"| {row['seeds']} |"
            for row in matrix
        ),
    ]
