"""The section of docs/reliability.md about real processes, which its own command writes."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HEAD = "## Real processes"
# What the columns of the figures are, in the order of the page.
_FIGURES = {
    "stories": "stories",
    "lives": "lives of dispatchers",
    "two_at_once": "times two dispatchers worked at once",
    "stops": "times one was stopped (SIGSTOP) for longer than its lease, and went on",
    "full_disks": "times the store could not be written",
    "corrections": "corrections",
    "writes_passed_on": "requests that reached the systems",
    "people_edits": "writes of people meanwhile",
    "effects": "effects of ours in the ledgers",
    "verified": "corrections proved",
    "reverted": "corrections taken back",
    "overtaken": "effects that a person changed again before they were read back",
}
# What happens; the first eight are the toxics of Toxiproxy.
_MEANINGS = {
    "latency": "a message is late, some by more than the sender waits",
    "down": "nobody can connect",
    "bandwidth": "a message comes slowly",
    "slow_close": "a connection is closed late",
    "timeout": "nothing comes through, then the connection is closed",
    "reset_peer": "the connection is reset",
    "slicer": "a message comes in slices of 40 bytes",
    "limit_data": "the connection breaks after so many bytes, in a request or in an answer",
    "unavailable": "503 with Retry-After",
    "rate_limited": "429 with Retry-After",
    "cut_body": "the effect happens; 2xx with half a body",
    "error_after_effect": "the effect happens; 500",
    "closed_after_receipt": "the request was received and goes nowhere; the connection closes",
    "answer_lost": "the effect happens; the connection closes without an answer",
}


def section_of(page: str) -> str:
    """The section as it stands on a page; empty when there is none."""
    start = page.find(f"\n{HEAD}\n")
    return "" if start < 0 else page[start + 1 :]


def write_section(
    result: Mapping[str, Any], properties: Mapping[str, str], path: Path, command: str
) -> None:
    """Replace the section, which is the last one of the page. ``properties``: name -> what it
    says; ``result`` counts in how many stories each was broken."""
    page = path.read_text(encoding="utf-8")
    before = page.removesuffix(section_of(page)).rstrip("\n")
    text = "\n".join(_section(result, properties, command))
    path.write_text(f"{before}\n\n{text}\n", encoding="utf-8")


def _section(result: Mapping[str, Any], properties: Mapping[str, str], command: str) -> list[str]:
    today = datetime.now(UTC).date()
    machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    kills = result["kills"]
    bound = f"{3 / result['effects']:.1e}" if result["effects"] else "-"
    return [
        HEAD,
        "",
        f"Written by `{command}` on {today} ({machine}) with {result['cpu_seconds']:.0f} CPU "
        "seconds; CI runs as much (`pytest -m chaos -n 0`). Here the dispatchers are processes of "
        "their own that die by SIGKILL, on a store in a file, and speak HTTP with the pretend "
        "distributor through a proxy that fails; people write in its systems meanwhile, some of "
        "them between a dispatcher's read and its write. The engine's time runs sixty times as "
        "fast as ours, so that its lease of three minutes is three seconds; nothing else of it is "
        "changed. A read after acceptance stands for the extraction that proves. Everything is "
        "judged by the systems' own ledger. The seed draws what goes wrong; when exactly a message "
        "meets it, the machine decides.",
        "",
        "| | |",
        "|---|---:|",
        f"| SIGKILLs | {sum(kills.values()):,} at {len(kills) - 1} named points and at random |",
        *(f"| {meaning} | {result[name]:,} |" for name, meaning in _FIGURES.items()),
        "",
        "In how many stories each property was broken. With none in n effects, the rate is below "
        f"3/n with 95 % confidence: here {bound}.",
        "",
        "| Property | Broken | It says |",
        "|---|---:|---|",
        *(f"| `{name}` | {result[name]} | {meaning} |" for name, meaning in properties.items()),
        "",
        "What it does not show: the full disk is a limit on the size of files (the kernel refuses "
        "the write, SQLite says *disk I/O error*), not a full file system; nothing loses what was "
        "flushed; all runs on one machine. A dispatcher that is stopped between its last look at "
        "the clock and the first byte of its request, a few microseconds, would send it: version "
        "and key then protect the record, but not a source that has moved on meanwhile.",
        "",
        "| Killed at | Times |",
        "|---|---:|",
        *(f"| {_code(name)} | {count:,} |" for name, count in kills.items()),
        "",
        "| Fault of the network | Fired | What happens |",
        "|---|---:|---|",
        *(
            f"| `{name}` | {count:,} | {_MEANINGS[name]} |"
            for name, count in result["faults"].items()
        ),
    ]


def _code(name: str) -> str:
    return f"`{name}`" if "." in name else name
