"""A source held in memory and a clock that only moves when told: what most ingestion tests need."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.base import Page, Record, SourceError
from connectors.documents import DocumentReader
from registry.contracts import CONTRACTS_FOLDER, contracts_of, load_contracts
from registry.settings import Settings
from registry.systems import Registry, System

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


class FakeClock:
    """Moves a millisecond with every look, so that moments differ and order is kept."""

    def __init__(self, start: datetime = START) -> None:
        self.moment = start

    def now(self) -> datetime:
        self.moment += timedelta(milliseconds=1)
        return self.moment


class FakeSource:
    """Serves documents of ``documents[entity]`` in pages, from the position that is the cursor.

    ``failures[entity]`` is raised after that many documents of the entity were served.
    """

    def __init__(
        self,
        system: System,
        documents: Mapping[str, list[Any]],
        failures: Mapping[str, tuple[int, Exception]] | None = None,
        page_size: int = 2,
    ) -> None:
        self.system = system
        self.documents = documents
        self.failures = dict(failures or {})
        self.page_size = page_size
        self.asked: list[tuple[str, str | None]] = []
        contracts = contracts_of(system.connector)
        self._readers = {entity: DocumentReader(contracts[entity]) for entity in documents}
        self._snapshots = {entity for entity in documents if contracts[entity].snapshot}

    @property
    def entities(self) -> tuple[str, ...]:
        return tuple(self.documents)

    def probe(self) -> None:
        return None

    def pages(self, entity: str, cursor: str | None) -> Iterator[Page]:
        self.asked.append((entity, cursor))
        start = 0 if entity in self._snapshots else int(cursor or 0)
        documents = self.documents[entity]
        limit, error = self.failures.get(entity, (len(documents), None))
        position = start
        while position < min(limit, len(documents)):
            part = documents[position : min(position + self.page_size, limit)]
            position += len(part)
            yield Page(entity, self._readers[entity].records(part), str(position), 0.0, 0.5)
        if error is not None:
            raise error
        if position == start:
            yield Page(entity, [], cursor, 0.0, 0.5)

    def read_one(self, entity: str, key: Mapping[str, str]) -> list[Record]:
        raise SourceError("unknown_key", "the fake source has no point read")


def wms_item(number: int, **changes: Any) -> dict[str, Any]:
    """One item document of the WMS."""
    return {
        "Sku": f"A{number:04}",
        "Gtin": f"{number:014}",
        "Desc": f"Item {number}",
        "CasePack": 12,
        "WeightGrams": 250,
        "Version": 1,
        "UpdatedMs": int(START.timestamp() * 1000) - 60_000,
        "Seq": number,
        **changes,
    }


def wms_position(number: int, **changes: Any) -> dict[str, Any]:
    """One inventory document of the WMS."""
    return {
        "Sku": f"A{number:04}",
        "Whse": "EAST",
        "OnHand": 5 * number,
        "Allocated": 0,
        "Damaged": 0,
        "AsOfMs": int(START.timestamp() * 1000) - 1000,
        **changes,
    }


def wms_documents(items: int = 5, positions: int = 3) -> dict[str, list[Any]]:
    return {
        "items": [wms_item(number) for number in range(1, items + 1)],
        "inventory": [wms_position(number) for number in range(1, positions + 1)],
    }


def wms_system(name: str = "wms") -> System:
    return System(name=name, role="wms", connector="demo_wms", time_zone="America/New_York")


def allow_negative_weights(folder: Path) -> None:
    """Give the installation a contract of its own for items, as its next process will see it."""
    _own_contract_for_items(folder, "WeightGrams", {"minimum: 0": "minimum: -10"})


def give_case_packs_fractions(folder: Path) -> None:
    """The same, where a column has another type."""
    changes = {
        "logicalType: integer": "logicalType: number",
        "physicalType: BIGINT": "physicalType: DECIMAL(18,6)",
    }
    _own_contract_for_items(folder, "CasePack", changes)


def _own_contract_for_items(folder: Path, column: str, changes: Mapping[str, str]) -> None:
    own = folder / "contracts" / "demo_wms" / "items.yaml"
    own.parent.mkdir(parents=True)
    told = (CONTRACTS_FOLDER / "demo_wms" / "items.yaml").read_text()
    before, name, after = told.partition(f"physicalName: {column}")
    for old, new in changes.items():
        after = after.replace(old, new, 1)
    own.write_text(before + name + after)
    load_contracts.cache_clear()


def make_settings(folder: Path) -> Settings:
    environment = {"TALLYMAN_MEMORY_LIMIT": "1GB", "PATH": os.environ.get("PATH", "")}
    return Settings(folder / "home", folder / "systems.toml", environment)


def make_registry(folder: Path, *systems: System) -> Registry:
    return Registry(systems=systems, folder=folder)
