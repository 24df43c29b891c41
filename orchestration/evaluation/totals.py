"""From judged worlds to one score: totals, rates, percentiles. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from orchestration.evaluation.judging import Counts

COUNTED = tuple(name.name for name in fields(Counts) if name.name != "delays")


def add_up(many: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The sum of counts (``Counts.as_json``), with percentiles of the delays and rates."""
    rows = list(many)
    total: dict[str, Any] = {name: sum(row.get(name, 0) for row in rows) for name in COUNTED}
    delays = sorted(delay for row in rows for delay in row.get("delays", ()))
    total["delay_p50"] = percentile(delays, 0.50)
    total["delay_p95"] = percentile(delays, 0.95)
    return total | rates(total)


def rates(counts: Mapping[str, int]) -> dict[str, float | None]:
    """Shares between 0 and 1; None where there is nothing to share out.

    A fault found is a true positive, an exception that no fault explains a false one.
    """
    found, missed, false = counts["found"], counts["missed"], counts["false"]
    return {
        "precision": _share(found, found + false),
        "recall": _share(found, found + missed),
        "f1": _share(2 * found, 2 * found + missed + false),
        "decoy_rate": _share(counts["decoys_reported"], counts["decoys"]),
        "correction_exactness": _share(counts["corrected"], counts["correctable"]),
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share of the values does not exceed (nearest rank)."""
    if not ordered:
        return None
    return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 3)


def grouping(pairs: Sequence[tuple[str, str]]) -> dict[str, Any] | None:
    """How well incidents (second of each pair) follow root causes (first); None without a pair."""
    if not pairs:
        return None
    causes = [cause for cause, _ in pairs]
    incidents = [incident for _, incident in pairs]
    return {
        "adjusted_rand_index": adjusted_rand_index(causes, incidents),
        "symptoms": len(pairs),
        "incidents": len(set(incidents)),
        "root_causes": len(set(causes)),
        "symptoms_per_incident": len(pairs) / len(set(incidents)),
    }


def adjusted_rand_index(first: Sequence[str], second: Sequence[str]) -> float:
    """Agreement of two groupings of the same things (Hubert and Arabie 1985): 1 equal, 0 chance."""

    def pairs(sizes: Iterable[int]) -> int:
        return sum(math.comb(size, 2) for size in sizes)

    both = pairs(Counter(zip(first, second, strict=True)).values())
    ones, others = pairs(Counter(first).values()), pairs(Counter(second).values())
    everything = math.comb(len(first), 2)
    chance = ones * others / everything if everything else 0.0
    most = (ones + others) / 2
    # Both put all things together, or both all apart: equal groupings without a choice.
    return 1.0 if most == chance else (both - chance) / (most - chance)
