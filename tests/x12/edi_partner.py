"""A trading partner's folder for tests: documents appear in it as both sides would write them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from connectors.base import Record
from connectors.x12.profile import PartnerProfile, load_profile
from connectors.x12.source import X12Source
from connectors.x12.target import X12Target
from connectors.x12.writing import NewSet, write_x12
from registry.systems import System

NOTICE_SETS = {"inbound": ["997"], "outbound": ["856", "997"]}
LONG_AGO = 1_000_000_000
SUPPLIER_SETS = {
    "inbound": ["855", "856", "810", "865", "997", "ORDRSP", "DESADV", "INVOIC", "CONTRL"],
    "outbound": ["850", "860", "997", "ORDERS"],
}
WAREHOUSE_SETS = {
    "inbound": ["944", "945", "947", "846", "997", "INVRPT"],
    "outbound": ["940", "943", "997"],
}


def segments(text: str) -> list[list[str]]:
    """Segments of a set, one a line, elements apart by stars."""
    return [line.strip().split("*") for line in text.strip().splitlines()]


def document(code: str, text: str) -> NewSet:
    return NewSet(code, segments(text))


@dataclass
class Partner:
    """One partner below ``root``; ``clock`` dates what is written, in ``zone``-less local time."""

    root: Path
    name: str = "acme"
    role: str = "supplier"
    sets: Mapping[str, Sequence[str]] = field(default_factory=lambda: SUPPLIER_SETS)
    settings: Mapping[str, Any] = field(default_factory=dict)
    time_zone: str = "UTC"
    write_mode: str = "on"
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder = self.root / self.name
        for direction in ("inbound", "outbound"):
            (self.folder / direction).mkdir(parents=True, exist_ok=True)
        profile = {
            "partner": self.name,
            "role": self.role,
            "us": {"id": "DISTRIB"},
            "them": {"id": self.name.upper()},
            "sets": {way: list(codes) for way, codes in self.sets.items()},
            "codes": {
                "location": {"DC-East": "EAST"},
                "quantity_qualifier": {"33": "available", "17": "on_hand", "145": "on_hand"},
            },
            **self.settings,
        }
        (self.root / f"{self.name}.yaml").write_text(yaml.safe_dump(profile))
        self._numbers = {"inbound": 0, "outbound": 500}

    @property
    def profile(self) -> PartnerProfile:
        return load_profile(self.root / f"{self.name}.yaml")

    @property
    def system(self) -> System:
        return System(
            name=self.name,
            role=self.role,
            connector="x12",
            base_url=self.name,
            time_zone=self.time_zone,
            settle_seconds=0,
            write_mode=self.write_mode,
            options={"profile": f"{self.name}.yaml", **self.options},
            folder=self.root,
        )

    def source(self) -> X12Source:
        return X12Source(self.system)

    def target(self) -> X12Target:
        return X12Target(self.system)

    def text(
        self,
        direction: str,
        *sets: NewSet,
        number: int | None = None,
        at: datetime = datetime(2026, 11, 2, 9, 0),
    ) -> bytes:
        """One interchange as its writer would send it."""
        profile = self.profile
        if direction == "inbound":
            profile = profile.model_copy(update={"us": profile.them, "them": profile.us})
        if number is None:
            self._numbers[direction] += 1
            number = self._numbers[direction]
        return write_x12(profile, "004010", number, at, sets)

    def put(self, direction: str, name: str, content: bytes, is_old: bool = True) -> Path:
        """A file in the folder; old enough not to be taken for one that is being written."""
        path = self.folder / direction / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if is_old:
            os.utime(path, (LONG_AGO, LONG_AGO))
        return path

    def send(self, direction: str, name: str, *sets: NewSet, **how: Any) -> Path:
        return self.put(direction, f"{name}.edi", self.text(direction, *sets, **how))

    def written(self, prefix: str) -> list[str]:
        """Texts that we wrote to the partner, in order of their control numbers."""
        return [
            path.read_text() for path in sorted((self.folder / "outbound").rglob(f"{prefix}-*.edi"))
        ]


class Reader:
    """Reads a partner pass after pass, as the pipeline does."""

    def __init__(self, partner: Partner) -> None:
        self.partner = partner
        self.cursors: dict[str, str | None] = {}
        self.withdrawn: set[str] = set()
        self.notices: list[str] = []

    def read(self, entity: str) -> list[Record]:
        """What a pass brings of an entity; a failure is raised after the cursor was kept.

        ``withdrawn`` and ``notices`` are those of the last pass.
        """
        source = self.partner.source()
        self.withdrawn.clear()
        records: list[Record] = []
        try:
            for page in source.pages(entity, self.cursors.get(entity)):
                records += page.records
                self.withdrawn.update(page.withdrawn)
                self.cursors[entity] = page.cursor
        finally:
            self.notices = source.notices
        return records

    def good(self, entity: str) -> list[Record]:
        return [record for record in self.read(entity) if record.problem is None]

    def refused(self, entity: str) -> list[Record]:
        return [record for record in self.read(entity) if record.problem is not None]


@dataclass
class StoppedClock:
    """For ingestion: a present that tests set."""

    moment: datetime = datetime(2026, 11, 10, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment
