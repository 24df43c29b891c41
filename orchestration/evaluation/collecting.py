"""Results of many seeds: those that are finished are taken up, the rest is run and kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestration.evaluation.totals import add_up
from orchestration.evaluation.workers import Work, outcomes


def collect(
    seeds: Sequence[int],
    jobs: int,
    kept: Path,
    prepare: Callable[[], None],
    work: Work,
    progress: Callable[[str], None],
) -> tuple[dict[int, dict[str, Any]], dict[int, str]]:
    """Results and failures by seed. What is in ``kept`` is taken from there, each new result is put
    there at once; ``prepare`` is called before the first world that must be run."""
    kept.mkdir(parents=True, exist_ok=True)
    results = {
        seed: json.loads(path.read_text(encoding="utf-8"))
        for seed in seeds
        if (path := kept / f"{seed}.json").is_file()
    }
    if results:
        progress(f"{len(results)} of {len(seeds)} worlds were finished before: they are taken up")
    failures: dict[int, str] = {}
    left = [seed for seed in seeds if seed not in results]
    if left:
        prepare()
        progress(f"running {len(left)} worlds, {min(jobs, len(left))} at a time")
    for outcome in outcomes(left, jobs, work):
        if outcome.result is None:
            failures[outcome.seed] = outcome.failure or "no reason was told"
            progress(f"seed {outcome.seed} FAILED: {outcome.failure}")
            continue
        results[outcome.seed] = outcome.result
        _write(kept / f"{outcome.seed}.json", outcome.result)
        done = len(results) + len(failures)
        progress(f"{done}/{len(seeds)} {_in_words(outcome.result)}")
    return results, failures


def _in_words(result: Mapping[str, Any]) -> str:
    counts = add_up(result["kinds"].values())
    return (
        f"seed {result['seed']}: found {counts['found']}/{counts['detectable']}, "
        f"false {counts['false']}, corrected {counts['corrected']}/{counts['correctable']}, "
        f"wrong {counts['wrong']}, doubled {counts['doubled']}, {result['passes']} passes, "
        f"{result['cpu_seconds']:.0f} s of CPU"
    )


def _write(path: Path, content: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content, default=str), encoding="utf-8")
    partial.replace(path)
