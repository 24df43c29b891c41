"""Work that dies or raises at a seed, in a module that imports little: each process imports it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from orchestration.evaluation.judging import Counts
from registry.errors import TallymanError


@dataclass(frozen=True)
class Troubled:
    """Dies at one seed, raises at another, and leaves a trace of each seed it was given."""

    folder: Path
    dies_at: int = -1
    raises_at: int = -1

    def __call__(self, seed: int) -> dict:
        (self.folder / f"ran-{seed}").touch()
        if seed == self.dies_at:
            os._exit(9)
        if seed == self.raises_at:
            raise TallymanError("the loop found no rest")
        counts = Counts(injected=1).as_json()
        return {
            "seed": seed,
            "kinds": {"F1": counts},
            "remarks": [],
            "grouping": None,
            "passes": 3,
            "passes_to_rest": 1,
            "cpu_seconds": 1.0,
        }
