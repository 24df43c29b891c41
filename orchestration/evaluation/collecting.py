"""Results of many seeds: those that are finished are taken up, the rest is run and kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
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
    results = {seed: result for seed, result in kept_results(kept).items() if seed in seeds}
    if results:
        progress(f"{len(results)} of {len(seeds)} worlds were finished before: they are taken up")
    failures: dict[int, str] = {}
    left = [seed for seed in seeds if seed not in results]
    if left:
        prepare()
        progress(f"running {len(left)} worlds, {min(jobs, len(left))} at a time")
    began = monotonic()
    for number, outcome in enumerate(outcomes(left, jobs, work), start=1):
        if outcome.result is None:
            failures[outcome.seed] = outcome.failure or "no reason was told"
            progress(f"seed {outcome.seed} FAILED: {outcome.failure}")
            continue
        results[outcome.seed] = outcome.result
        _write(kept / f"{outcome.seed}.json", outcome.result)
        done = len(results) + len(failures)
        rest = (monotonic() - began) / number * (len(left) - number) / 60
        progress(f"{done}/{len(seeds)} {_in_words(outcome.result)}, about {rest:.0f} min to go")
    return results, failures


def kept_results(folder: Path) -> dict[int, dict[str, Any]]:
    """The results by seed that ``collect`` has put into a folder."""
    return {
        int(path.stem): json.loads(path.read_text(encoding="utf-8"))
        for path in folder.glob("*.json")
    }


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
    partial.write_text(json.dumps(content, default=str, separators=(",", ":")), encoding="utf-8")
    partial.replace(path)
