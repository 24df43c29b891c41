"""How fast connectors read, each beside named alternatives on the same data in the same run.

    .venv/bin/python -m bench.connectors [CONNECTOR ...] [--records N] [--json FILE]

A rate says more of the machine than of the code; the ratio to an alternative is what can be
compared over machines and commits. To add a connector: ``bench/connector_<name>.py`` with
``cases(records, folder)``, which yields ours first.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

RUNS = 3
_PREFIX = "connector_"


@dataclass(frozen=True)
class Case:
    """Something to read. ``read`` returns how many records it read.

    It may add in how many seconds, where it measures itself: the start of another process must not
    count.
    """

    name: str
    read: Callable[[], int | tuple[int, float]]


@dataclass(frozen=True)
class Rate:
    """The best of a few runs: what the code can do when nothing else wants the processor.

    ``times_ours`` is its rate by that of the connector's first case: above 1 it is faster than we.
    """

    connector: str
    case: str
    records: int
    records_per_second: float
    times_ours: float


def measure(connector: str, cases: Iterable[Case]) -> list[Rate]:
    """The rates of all cases, in their order."""
    rates: list[Rate] = []
    for case in cases:
        best, records = 0.0, 0
        for _ in range(RUNS):
            gc.collect()
            started = time.perf_counter()
            answer = case.read()
            elapsed = time.perf_counter() - started
            records, seconds = answer if isinstance(answer, tuple) else (answer, elapsed)
            best = max(best, records / seconds)
        ours = rates[0].records_per_second if rates else best
        rates.append(Rate(connector, case.name, records, best, best / ours))
    return rates


def known() -> list[str]:
    """The connectors that can be measured."""
    here = Path(__file__).resolve().parent
    return sorted(path.stem.removeprefix(_PREFIX) for path in here.glob(f"{_PREFIX}*.py"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.connectors", description="Rates of connectors.")
    parser.add_argument("connector", nargs="*", default=known(), help=", ".join(known()))
    parser.add_argument("--records", type=int, default=20_000, help="about how many to read")
    parser.add_argument("--json", type=Path, help="write the rates here too")
    arguments = parser.parse_args()
    rates: list[Rate] = []
    for connector in arguments.connector:
        with tempfile.TemporaryDirectory() as folder:
            module = importlib.import_module(f"bench.{_PREFIX}{connector}")
            rates += measure(connector, module.cases(arguments.records, Path(folder)))
    for rate in rates:
        print(
            f"{rate.connector:18} {rate.case:36} {rate.records:>9,} records "
            f"{rate.records_per_second:>11,.0f}/s   x{rate.times_ours:.2f}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(rate) for rate in rates], indent=1) + "\n")


if __name__ == "__main__":
    main()
