"""The score of `tallyman evaluate` for people: a table on the terminal, and docs/score.md."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reporting import terminal

# Column of the score -> its heading; together with a kind they fit a terminal of 80 characters.
_FAULT_COLUMNS = {
    "injected": "in",
    "found": "found",
    "missed": "missed",
    "false": "false",
    "corrected": "right",
    "wrong": "wrong",
    "doubled": "twice",
    "delay_p50": "p50 s",
    "delay_p95": "p95 s",
}
_DECOY_COLUMNS = {"decoys": "in", "decoys_reported": "reported", "false": "false"}
_PAGE_COLUMNS = {
    "injected": "in",
    "found": "found",
    "missed": "missed",
    "late": "late",
    "false": "false",
    "decoys": "decoys",
    "decoys_reported": "reported",
    "corrected": "corrected",
    "wrong": "wrong",
    "doubled": "doubled",
    "delay_p50": "p50 s",
    "delay_p95": "p95 s",
}
_SHOWN_REMARKS = 20


def print_score(score: Mapping[str, Any], console: Console) -> None:
    """``score`` as in the JSON of ``tallyman evaluate``."""
    kinds, totals = score["by_kind"], score["totals"]
    faults = {kind: row for kind, row in kinds.items() if row["injected"]}
    decoys = {kind: row for kind, row in kinds.items() if row["decoys"]}
    others = {kind: row for kind, row in kinds.items() if row["false"] and kind not in decoys}
    console.print(_table("Faults, and what became of them", _FAULT_COLUMNS, faults, totals))
    console.print(_table("Decoys: nothing is wrong", _DECOY_COLUMNS, decoys | others, totals))
    console.print(_rates(score))
    for remark in score["remarks"][:_SHOWN_REMARKS]:
        console.print(f"[red]seed {remark['seed']}[/red] {escape(remark['remark'])}")
    if len(score["remarks"]) > _SHOWN_REMARKS:
        console.print(f"and {len(score['remarks']) - _SHOWN_REMARKS} more: see the JSON")
    for seed, why in score["failures"].items():
        console.print(f"[red]seed {seed} failed[/red] {escape(why)}")


def _table(
    title: str,
    columns: Mapping[str, str],
    rows: Mapping[str, Mapping[str, Any]],
    totals: Mapping[str, Any],
) -> Table:
    """A row a kind; ``columns``: count -> heading."""
    view = terminal.table(title=title)
    view.add_column("Kind", no_wrap=True)
    for heading in columns.values():
        view.add_column(heading, justify="right", no_wrap=True)
    for kind, counts in rows.items():
        view.add_row(escape(kind), *(_cell(counts[name]) for name in columns))
    view.add_section()
    view.add_row("total", *(_cell(totals[name]) for name in columns))
    return view


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if isinstance(value, float) else str(value)


def _rates(score: Mapping[str, Any]) -> str:
    totals = score["totals"]
    group = score["grouping"]
    grouped = f"{group['adjusted_rand_index']:.3f}" if group else "not measured"
    return (
        f"precision {_share(totals['precision'])}   recall {_share(totals['recall'])}   "
        f"F1 {_share(totals['f1'])}\n"
        f"decoys reported {totals['decoys_reported']}/{totals['decoys']}   "
        f"exact corrections {_share(totals['correction_exactness'])}   "
        f"at rest in time {totals['converged']}/{totals['worlds']}   grouping {grouped}"
    )


def _share(value: float | None) -> str:
    """Four digits, rounded down: two of 44,330 that were missed once stood here as 1.0000."""
    return "-" if value is None else f"{math.floor(round(value * 10_000, 6)) / 10_000:.4f}"


def write_page(score: Mapping[str, Any], path: Path) -> None:
    """Write docs/score.md."""
    path.write_text(page(score), encoding="utf-8")


def page(score: Mapping[str, Any]) -> str:
    """The page, from nothing but the score."""
    run, totals = score["run"], score["totals"]
    lines = [
        "# Score",
        "",
        f"Generated on {run['date']} by `{run['command']} --page`; do not edit.",
        "",
        f"Seeds {run['which_seeds']}, {run['orders']:,} orders each, run to the end in"
        f" this process: {totals['worlds']} worlds, {totals['worlds_failed']} failed,"
        f" {run['cpu_seconds_per_world']} s of CPU a world. All of one code, of which the key is"
        f" `{run['code']}`. How a world is run and judged:"
        " [the pretend distributor](sandbox.md#scoring).",
        "",
        "| | |",
        "|---|---|",
        f"| Precision | {_share(totals['precision'])} |",
        f"| Recall | {_share(totals['recall'])} |",
        f"| F1 | {_share(totals['f1'])} |",
        f"| Decoys reported | {totals['decoys_reported']} of {totals['decoys']} |",
        f"| Corrected exactly as expected | {totals['corrected']} of {totals['correctable']} |",
        f"| Wrong writes | {totals['wrong']} |",
        f"| Doubled writes | {totals['doubled']} |",
        f"| Worlds at rest within three passes | {totals['converged']} of {totals['worlds']} |",
        f"| Longest way to rest | {totals['passes_to_rest_max']} passes |",
        f"| Root causes | {_grouping(score)} |",
        f"| Kinds of the catalogue | {totals['kinds']}; of {totals['kinds_wanted']} that can be"
        f" found, {totals['kinds_detectable']} were injected |",
        f"| Never injected | {', '.join(score['never_injected']) or 'none'} |",
        f"| Found, but later than the first pass after the deadline | {totals['late']} |",
        "",
        "## By kind",
        "",
        "Delays are seconds from the deadline, or from the moment when the fault could first be"
        " read where that was later, to the end of the pass that shows it. Most of that is the time"
        " between two passes of the harness; whether a pass was missed, `late` says.",
        "",
        "| kind | what | " + " | ".join(_PAGE_COLUMNS.values()) + " |",
        "|---|---|" + "---:|" * len(_PAGE_COLUMNS),
    ]
    for kind, counts in score["by_kind"].items():
        if counts["injected"] or counts["decoys"] or counts["false"]:
            cells = " | ".join(_cell(counts[name]) for name in _PAGE_COLUMNS)
            lines.append(f"| {kind} | {counts.get('title', 'decoy')} | {cells} |")
    left_out = [f"{kind} in {worlds}" for kind, worlds in score["left_out"].items()]
    totals_cells = " | ".join(_cell(totals[name]) for name in _PAGE_COLUMNS)
    lines.append(f"| **total** | | {totals_cells} |")
    if left_out:
        lines += ["", f"Worlds without room for one that was injected late: {', '.join(left_out)}."]
    unfound = [
        f"| {kind} | {counts['title']} | {counts['reason']} |"
        for kind, counts in score["by_kind"].items()
        if counts.get("reason")
    ]
    if unfound:
        lines += [
            "",
            "## Kinds that are not to be found, and why",
            "",
            "| kind | what | why |",
            "|---|---|---|",
            *unfound,
        ]
    if score["remarks"] or score["failures"]:
        lines += ["", "## What is not as it should be", ""]
        lines += [f"- seed {one['seed']}: {one['remark']}" for one in score["remarks"]]
        lines += [f"- seed {seed} failed: {why}" for seed, why in score["failures"].items()]
    return "\n".join(lines) + "\n"


def _grouping(score: Mapping[str, Any]) -> str:
    group = score["grouping"]
    if group is None:
        return "not measured: no fault was found"
    return (
        f"adjusted Rand index {group['adjusted_rand_index']},"
        f" {group['symptoms_per_incident']} symptoms an incident"
    )
