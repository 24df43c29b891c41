"""Many worlds: what is run already is taken up again, the rest is run, all of it is added up."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from orchestration.dbt_build import parsed
from orchestration.evaluation.collecting import collect, kept_results
from orchestration.evaluation.one_world import TEMPLATE, WorldChoices, WorldWork, make_template
from orchestration.evaluation.totals import add_up
from registry.errors import ConfigurationError
from registry.settings import PROJECT_ROOT, load_settings
from sandbox.kinds import catalogue

CONVERGED_WITHIN = 3
WORLDS_OF_ALL_KINDS = ("full",)
_CODE = ("*.py", "*.sql", "*.yml", "*.yaml", "*.csv", "*.toml")
_ROOMS = (
    "registry",
    "connectors",
    "ingestion",
    "dbt_project",
    "expectations",
    "writeback",
    "reporting",
    "orchestration",
    "sandbox",
    "examples",
)


@dataclass(frozen=True)
class Wanted:
    """``seeds`` worlds from ``first_seed`` on, in ``jobs`` processes. ``into``: a folder in which
    their results stay, beside those of earlier calls, and which is scored as a whole."""

    seeds: int
    first_seed: int
    jobs: int
    choices: WorldChoices
    keep: bool = False
    into: Path | None = None

    @property
    def all_seeds(self) -> list[int]:
        return list(range(self.first_seed, self.first_seed + self.seeds))

    @property
    def command(self) -> str:
        """The command that gives the same again."""
        return (
            f"tallyman evaluate --seeds {self.seeds} --first-seed {self.first_seed} "
            f"--orders {self.choices.orders} --world {self.choices.world}"
            + (f" --into {self.into}" if self.into else "")
        )


def evaluate(wanted: Wanted, home: Path, progress: Callable[[str], None]) -> dict[str, Any]:
    """The score (docs/sandbox.md has its shape).

    Each finished seed is kept at once, below ``home`` until all are finished or for good in
    ``wanted.into``, so that a run that was stopped goes on where it was. Nothing is taken up that
    other choices or other code have given. Raises ConfigurationError where there is nothing at all.
    """
    began = monotonic()
    key = _key(wanted.choices)
    folder = home / "evaluation" / key
    kept, template = (wanted.into / key if wanted.into else folder / "finished"), folder / TEMPLATE

    def prepare() -> None:
        progress("building the models once, without data")
        parsed(load_settings(home))
        shutil.rmtree(template, ignore_errors=True)
        make_template(template, wanted.choices)

    work = WorldWork(wanted.choices, folder, wanted.keep)
    results, failures = collect(wanted.all_seeds, wanted.jobs, kept, prepare, work, progress)
    if wanted.into:
        results = kept_results(kept)
        for other in sorted(wanted.into.iterdir()):
            if other.is_dir() and other.name != key:
                progress(f"left out: {other}, of other code, orders or world")
    if not results and not failures:
        raise ConfigurationError(
            f"no world to score: {wanted.into or home} holds none of this code and these choices; "
            "run some with --seeds"
        )
    score = summarise([results[seed] for seed in sorted(results)], failures)
    told = sorted(results.keys() | failures.keys())
    score["run"] = {
        "command": wanted.command,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "seeds": len(told),
        "first_seed": min(told, default=wanted.first_seed),
        "which_seeds": ranges(told),
        "orders": wanted.choices.orders,
        "world": wanted.choices.world,
        "code": key,
        "jobs": wanted.jobs,
        "seconds": round(monotonic() - began, 1),
        "cpu_seconds_per_world": _mean([r["cpu_seconds"] for r in results.values()]),
    }
    if not failures:
        if not wanted.into:
            shutil.rmtree(kept)
        shutil.rmtree(template, ignore_errors=True)
    return score


def ranges(numbers: Sequence[int]) -> str:
    """Numbers in ascending order in few words: 1 to 9, 12."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def summarise(results: Sequence[Mapping[str, Any]], failures: Mapping[int, str]) -> dict[str, Any]:
    """Totals, one row a kind (all of the catalogue, injected or not), and everything that is not
    as it should be, with its seed."""
    by_kind: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for result in results:
        for kind, counts in result["kinds"].items():
            by_kind[kind].append(counts)
    known = {entry.kind_id: entry for entry in catalogue()}
    kinds = {}
    for kind in [*known, *sorted(by_kind.keys() - known.keys())]:
        kinds[kind] = add_up(by_kind[kind])
        if kind in known:
            entry = known[kind]
            kinds[kind] |= {
                "family": entry.family,
                "title": entry.title,
                "rules": list(entry.rules),
                "reason": entry.reason or None,
            }
    wanted = [entry.kind_id for entry in known.values() if entry.detectable == "yes"]
    never = [kind for kind in wanted if not kinds[kind]["detectable"]]
    left_out = Counter(name for result in results for name in result.get("left_out", ()))
    told = [result["grouping"] for result in results if result["grouping"] is not None]
    after = [result["passes_to_rest"] for result in results]
    totals = add_up([counts for rows in by_kind.values() for counts in rows])
    return {
        "totals": totals
        | {
            "worlds": len(results),
            "worlds_failed": len(failures),
            "kinds": len(known),
            "kinds_detectable": len(wanted) - len(never),
            "kinds_wanted": len(wanted),
            "converged": sum(passes <= CONVERGED_WITHIN for passes in after),
            "passes_to_rest_max": max(after, default=None),
        },
        "grouping": {
            "adjusted_rand_index": _mean([group["adjusted_rand_index"] for group in told]),
            "symptoms_per_incident": _mean([group["symptoms_per_incident"] for group in told]),
        }
        if told
        else None,
        "by_kind": kinds,
        "never_injected": never,
        "left_out": dict(sorted(left_out.items())),
        "remarks": [
            {"seed": result["seed"], "remark": remark}
            for result in results
            for remark in result["remarks"]
        ],
        "failures": {str(seed): why for seed, why in sorted(failures.items())},
    }


def is_perfect(score: Mapping[str, Any], world: str | None = None) -> bool:
    """Whether nothing at all is left to explain; of worlds that hold every kind, also that each
    detectable one was injected."""
    if world in WORLDS_OF_ALL_KINDS and score["never_injected"]:
        return False
    converged = score["totals"]["converged"] == score["totals"]["worlds"] > 0
    return converged and not score["remarks"] and not score["failures"]


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 3) if values else None


def _key(choices: WorldChoices) -> str:
    """Changes with the choices and with our code: a result of other code is no result."""
    digest = hashlib.sha256(json.dumps(asdict(choices), sort_keys=True).encode())
    for room in _ROOMS:
        for pattern in _CODE:
            for path in sorted((PROJECT_ROOT / room).rglob(pattern)):
                if "target" not in path.parts and "node_modules" not in path.parts:
                    digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
