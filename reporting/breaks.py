"""The table of what was broken in real systems and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from reporting import terminal


def print_breaks(breaks: Mapping[str, Any], console: Console) -> None:
    """``breaks`` as in the JSON of ``tallyman real``."""
    view = terminal.table(title="What was broken by hand in the real systems")
    view.add_column("Break")
    view.add_column("Found as")
    view.add_column("Then")
    for one in breaks["by_name"].values():
        rules = dict.fromkeys(exception.split(" ")[0] for exception in one["expected"])
        found = "[red]missed[/red]" if one["missing"] else ", ".join(rules)
        view.add_row(escape(one["title"]), found, _then(one))
    console.print(view)
    console.print(
        f"made {breaks['made']}   found {breaks['found']}   missed {breaks['missed']}   "
        f"false {breaks['false']}   corrected {breaks['corrected']}   "
        f"verified {breaks['verified']}   waiting for a person {breaks['waiting']}"
    )


def _then(one: Mapping[str, Any]) -> str:
    kinds = ", ".join(one["kinds"])
    if one["outcome"] == "corrected":
        if one["verified"]:
            return f"[green]corrected and verified[/green]: {kinds}"
        return f"[red]{'not verified' if one['corrected'] else 'not corrected'}[/red]: {kinds}"
    if one["outcome"] == "approval":
        if one["waiting"]:
            return f"[yellow]waits for approval[/yellow]: {kinds}"
        return f"[red]does not wait for approval[/red]: {kinds}"
    return f"shown; the system can't take {kinds}" if kinds else "shown; no correction"
