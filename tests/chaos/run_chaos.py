"""Stories with real processes, added up: ``python tests/chaos/run_chaos.py --page``.

Prints the figures as JSON; ``--page`` also writes them into docs/reliability.md. Fails when a
property is broken, with the seed to run again, or when something never fired.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "connectors"))

from chaos_judge import PROPERTIES
from chaos_story import POINTS, StoryResult, run_story
from toxic_proxy import HTTP_FAULTS, TOXICS

from reporting.real_processes import write_section

ROOT = Path(__file__).parents[2]
STORIES = 6
COUNTED = (
    "lives",
    "two_at_once",
    "stops",
    "full_disks",
    "corrections",
    "writes_passed_on",
    "people_edits",
    "effects",
    "overtaken",
    "verified",
    "reverted",
)


def one_story(seed: int) -> StoryResult:
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        return run_story(seed, Path(folder) / "story")


def run(stories: int = STORIES, first_seed: int = 1, workers: int = 2) -> dict[str, Any]:
    """Play ``stories`` seeds from ``first_seed`` on; the figures as in the JSON."""
    started, spent = monotonic(), os.times()
    before = spent.children_user + spent.children_system
    seeds = range(first_seed, first_seed + stories)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        results = list(pool.map(one_story, seeds))
    spent = os.times()
    cpu_seconds = spent.children_user + spent.children_system - before
    return figures(results, first_seed, monotonic() - started, cpu_seconds)


def figures(
    results: list[StoryResult], first_seed: int, wall_seconds: float, cpu_seconds: float
) -> dict[str, Any]:
    """``broken``: seed -> what was broken there; ``silent``: what should have fired and did not;
    each property: in how many stories it was broken."""
    total, kills, toxics, edits = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    broken: Counter[str] = Counter()
    for result in results:
        total.update(result.figures)
        kills.update(result.kills)
        toxics.update(result.toxics)
        edits.update(result.edits)
        broken.update({name for name, _ in result.broken})
    wanted = [
        *((name, kills[name]) for name in (*POINTS, "at a random moment")),
        *((name, toxics[name]) for name in (*TOXICS, *HTTP_FAULTS)),
        *((name, total[name]) for name in ("stops", "full_disks", "two_at_once")),
        ("people in push", edits["in_push"]),
    ]
    return {
        "stories": len(results),
        "first_seed": first_seed,
        **{name: total[name] for name in COUNTED},
        **{name: broken[name] for name in PROPERTIES},
        "kills": {name: kills[name] for name in (*POINTS, "at a random moment")},
        "faults": {name: toxics[name] for name in (*TOXICS, *HTTP_FAULTS)},
        "edits": dict(sorted(edits.items())),
        "silent": [name for name, count in wanted if not count],
        "broken_seeds": {
            str(result.seed): [f"{name}: {what}" for name, what in result.broken]
            for result in results
            if result.broken
        },
        "wall_seconds": round(wall_seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stories", type=int, default=STORIES)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--page", action="store_true", help="also write docs/reliability.md")
    given = parser.parse_args()
    result = run(given.stories, given.first_seed, given.workers)
    print(json.dumps(result, indent=2))
    if given.page:
        command = (
            f"python tests/chaos/run_chaos.py --stories {given.stories} "
            f"--first-seed {given.first_seed} --page"
        )
        write_section(result, PROPERTIES, ROOT / "docs" / "reliability.md", command)
    return 1 if result["broken_seeds"] or result["silent"] else 0


if __name__ == "__main__":
    sys.exit(main())
