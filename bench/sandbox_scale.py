"""How fast pretend data are made and served, vectorised and event by event, and in how much memory.

    .venv/bin/python -m bench.sandbox_scale [--events N] [--json FILE]

Every case makes about the same number of order events in an interpreter of its own, so that its
peak memory is its own. The named alternative is the sandbox's world, which makes one event after
another and keeps four systems' documents; the ratios are to it.
"""

from __future__ import annotations

import argparse
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from sandbox.distributor import Distributor
from sandbox.scale.plan import ScalePlan
from sandbox.scale.serve import running_scale
from sandbox.scale.write import write_scale
from sandbox.server import running_sandbox
from sandbox.settings import Credentials, Settings

EVENTS_AN_ORDER = 12.3
ALTERNATIVE = "event by event"


@dataclass(frozen=True)
class Made:
    """``amount`` of order events or of OMS orders; ``peak_mb``: of the largest process."""

    what: str
    case: str
    amount: int
    seconds: float
    peak_mb: float

    @property
    def rate(self) -> float:
        """Per second."""
        return self.amount / self.seconds


def _peak_mb() -> float:
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(whose).ru_maxrss for whose in both) / 1024


def _vectorised(events: int, folder: Path, workers: int | None) -> tuple[int, float]:
    started = time.perf_counter()
    manifest = write_scale(ScalePlan(events), folder / "out", workers)
    return manifest["counts"]["order_events"], time.perf_counter() - started


def _event_by_event(events: int, folder: Path) -> tuple[int, float]:
    settings = Settings(
        orders=round(events / EVENTS_AN_ORDER), faults_per_kind=0, decoys_per_kind=0
    )
    started = time.perf_counter()
    Distributor(folder / "home", settings).close()
    elapsed = time.perf_counter() - started
    database = sqlite3.connect(folder / "home" / "sandbox.sqlite")
    query = "select count(*) from world_events where subject like 'SO-%'"
    count: int = database.execute(query).fetchone()[0]
    database.close()
    return count, elapsed


def _read_orders(url: str) -> tuple[int, float]:
    """Read the OMS's whole list in its largest pages, with as little work as a reader can do."""
    headers = {"Authorization": f"Bearer {Credentials().oms_token}"}
    orders, cursor = 0, {}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        started = time.perf_counter()
        while True:
            answer = client.get("/v1/orders", params={"limit": 1000, **cursor}).raise_for_status()
            orders += answer.content.count(b'"orderNumber"')
            tail = answer.content[answer.content.rindex(b'"nextCursor"') :]
            following = json.loads(b"{" + tail)["nextCursor"]
            if following is None:
                return orders, time.perf_counter() - started
            cursor = {"cursor": following}


def _served_vectorised(events: int, folder: Path) -> tuple[int, float]:
    write_scale(ScalePlan(events), folder / "out", 1)
    with running_scale(folder / "out") as url:
        return _read_orders(url)


def _served_event_by_event(events: int, folder: Path) -> tuple[int, float]:
    settings = Settings(
        orders=round(events / EVENTS_AN_ORDER),
        faults_per_kind=0,
        decoys_per_kind=0,
        requests_per_second=1e9,
    )
    with running_sandbox(folder / "home", settings=settings) as handle:
        return _read_orders(handle.urls["oms"])


CASES: dict[str, tuple[str, str, Callable[[int, Path], tuple[int, float]]]] = {
    "made": ("order events made", ALTERNATIVE, _event_by_event),
    "made-one": (
        "order events made",
        "vectorised, one process",
        lambda events, folder: _vectorised(events, folder, 1),
    ),
    "made-all": (
        "order events made",
        "vectorised, a process a core",
        lambda events, folder: _vectorised(events, folder, None),
    ),
    "served": ("OMS orders over HTTP", ALTERNATIVE, _served_event_by_event),
    "served-scale": ("OMS orders over HTTP", "pages written before", _served_vectorised),
}


def measure(name: str, events: int) -> Made:
    """One case in this process."""
    what, case, make = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        amount, seconds = make(events, Path(folder))
    return Made(what, case, amount, seconds, _peak_mb())


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.sandbox_scale", description="Pretend data.")
    parser.add_argument("--events", type=int, default=300_000, help="about how many to make")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--case", choices=tuple(CASES), help="one case, as JSON, in this process")
    given = parser.parse_args()
    if given.case:
        print(json.dumps(asdict(measure(given.case, given.events))))
        return
    rows = []
    base: dict[str, Made] = {}
    for name in CASES:
        command = [sys.executable, "-m", "bench.sandbox_scale", "--case", name]
        command += ["--events", str(given.events)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        made = Made(**json.loads(done.stdout.splitlines()[-1]))
        compared = base.setdefault(made.what, made)
        times, memory = made.rate / compared.rate, made.peak_mb / compared.peak_mb
        rows.append(asdict(made) | {"per_second": made.rate, "times": times, "memory": memory})
        print(
            f"{made.what:21} {made.case:29} {made.amount:>11,} {made.rate:>12,.0f}/s x{times:<7.2f}"
            f"{made.peak_mb:>7,.0f} MB x{memory:.2f}"
        )
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
