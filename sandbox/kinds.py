"""The catalogue of fault kinds: all that can go wrong, also what no world of ours holds yet."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).with_name("fault_kinds.csv")


@dataclass(frozen=True)
class CatalogueEntry:
    """One kind as ``fault_kinds.csv`` has it; ``kind_id`` is the ``fault_type`` of truth rows.

    ``detectable``: ``yes`` (its ``rules`` must open), ``no`` (``reason`` says why), ``decoy``
    (looks wrong and is not, as ``reason`` says: nothing may open) or empty (``reason`` says why no
    world holds it yet).
    """

    kind_id: str
    family: str
    title: str
    detectable: str
    rules: tuple[str, ...]
    reason: str


def catalogue() -> tuple[CatalogueEntry, ...]:
    """All kinds, by family."""
    with _FILE.open(encoding="utf-8", newline="") as file:
        return tuple(
            CatalogueEntry(
                row["id"],
                row["family"],
                row["title"],
                row["detectable"],
                tuple(row["rules"].split()),
                row["reason"],
            )
            for row in csv.DictReader(file)
        )
