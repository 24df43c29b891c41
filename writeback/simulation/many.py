"""Many seeds in several processes, added up: the figures of ``tallyman simulate``."""

from __future__ import annotations

import gc
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from time import monotonic, process_time
from typing import Any

from writeback.simulation.faults import FAMILIES
from writeback.simulation.oracle import PROPERTIES
from writeback.simulation.story import StoryResult, run_story

CHUNK = 50
# From so many seeds on, a family that never fired is a failure of the run.
ENOUGH_SEEDS = 300
DAY = 86_400.0
# What a property is about: one of so many could have broken it.
EXPOSED = {
    "lost": "corrections",
    "doubled": "effects",
    "false": "requests",
    "overwritten": "effects",
    "unverified_claims": "verified",
    "unapproved": "requests",
    "stopped": "requests",
    "impatient": "requests",
    "greedy": "requests",
    "stuck": "seeds",
    "broken": "seeds",
}


@dataclass
class Sum:
    """Stories added up; one chunk of seeds, or all of them."""

    seeds: int = 0
    events: int = 0
    simulated_seconds: float = 0.0
    corrections: int = 0
    requests: int = 0
    effects: int = 0
    verified: int = 0
    cpu_seconds: float = 0.0
    fired: Counter[str] = field(default_factory=Counter)
    crash_points: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)
    convergence: list[float] = field(default_factory=list)
    cycles: list[int] = field(default_factory=list)

    def add_story(self, story: StoryResult) -> None:
        self.seeds += 1
        self.events += story.events
        self.simulated_seconds += story.simulated_seconds
        self.corrections += story.corrections
        self.requests += story.requests
        self.effects += story.effects
        self.verified += story.verified
        self.fired.update(story.fired)
        self.crash_points.update(story.crash_points)
        self.cycles.append(story.cycles)
        if story.convergence_seconds is not None:
            self.convergence.append(story.convergence_seconds)
        # One seed breaks a property once, however often it shows.
        self.broken.update({violation.property for violation in story.violations})
        if story.violations:
            first = story.violations[0]
            self.failures[story.seed] = f"{first.property}: {first.what}"

    def add(self, other: Sum) -> None:
        for name in ("seeds", "events", "simulated_seconds", "corrections", "requests", "effects"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.verified += other.verified
        self.cpu_seconds += other.cpu_seconds
        self.fired.update(other.fired)
        self.crash_points.update(other.crash_points)
        self.broken.update(other.broken)
        self.failures |= other.failures
        self.convergence += other.convergence
        self.cycles += other.cycles


def run_seeds(first_seed: int, count: int) -> Sum:
    """Some seeds in this process."""
    total, started = Sum(), process_time()
    usual = gc.get_threshold()
    # A story leaves little behind, and makes much: looking for it every 700 objects is a tenth.
    gc.set_threshold(50_000, 20, 100)
    try:
        for seed in range(first_seed, first_seed + count):
            total.add_story(run_story(seed))
    finally:
        gc.set_threshold(*usual)
    total.cpu_seconds = process_time() - started
    return total


def simulate(
    seeds: int,
    first_seed: int = 1,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, failed: None,
) -> dict[str, Any]:
    """Run ``seeds`` stories from ``first_seed`` on; the figures as in the JSON.

    ``progress`` is told how many seeds are done, and how many of them broke a property.
    """
    started = monotonic()
    total = Sum()
    for part in _parts(seeds, first_seed, workers):
        total.add(part)
        progress(total.seeds, len(total.failures))
    return figures(total, first_seed, monotonic() - started)


def _parts(seeds: int, first_seed: int, workers: int) -> Iterator[Sum]:
    end = first_seed + seeds
    chunks = [(start, min(CHUNK, end - start)) for start in range(first_seed, end, CHUNK)]
    if workers == 1:
        for start, count in chunks:
            yield run_seeds(start, count)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(run_seeds, *zip(*chunks, strict=True))


def figures(total: Sum, first_seed: int, wall_seconds: float) -> dict[str, Any]:
    """What the JSON holds. Each property: in how many seeds it was broken. ``upper_bounds``: below
    which its rate is with 95 % confidence, as none of so many broke it (the rule of three)."""
    silent = [name for name in FAMILIES if not total.fired[name]]
    return {
        "seeds": total.seeds,
        "first_seed": first_seed,
        "events": total.events,
        "simulated_days": round(total.simulated_seconds / DAY, 1),
        "corrections": total.corrections,
        "requests": total.requests,
        "effects": total.effects,
        "verified": total.verified,
        **{name: total.broken[name] for name in PROPERTIES},
        "upper_bounds": {name: _bound(total, name) for name in EXPOSED},
        "convergence_p50": quantile(total.convergence, 0.5),
        "convergence_p95": quantile(total.convergence, 0.95),
        "convergence_max": quantile(total.convergence, 1.0),
        "cycles_p50": quantile(total.cycles, 0.5),
        "cycles_p95": quantile(total.cycles, 0.95),
        "cycles_max": quantile(total.cycles, 1.0),
        "faults": {name: total.fired[name] for name in FAMILIES},
        "kills": dict(sorted(total.crash_points.items())),
        "silent_families": silent if total.seeds >= ENOUGH_SEEDS else [],
        "failures": {str(seed): what for seed, what in sorted(total.failures.items())},
        "seeds_per_cpu_second": round(total.seeds / total.cpu_seconds, 1),
        "cpu_seconds": round(total.cpu_seconds, 1),
        "wall_seconds": round(wall_seconds, 1),
    }


def _bound(total: Sum, name: str) -> float | None:
    exposed: int = getattr(total, EXPOSED[name])
    return 3 / exposed if exposed and not total.broken[name] else None


def is_clean(result: dict[str, Any]) -> bool:
    """Every property held and every family fired."""
    return not result["failures"] and not result["silent_families"]


def quantile(values: list[Any], share: float) -> float | None:
    """The nearest-rank quantile; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return round(float(ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)]), 1)
