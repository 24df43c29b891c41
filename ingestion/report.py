"""What an extraction and a load tell about themselves; plain values, also written to the spool."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present as an aware UTC time."""
        ...


@dataclass(frozen=True)
class EntityReport:
    """One entity of one extraction.

    ``records`` counts the rows that land, ``unchanged`` those that did not because they had
    landed just so (ingestion/unchanged.py), ``quarantined`` those that broke the contract.
    ``error`` is for people, ``error_kind`` a stable code. ``cursor_to`` is where the next
    extraction goes on; it is None unless ``complete`` or the source keeps its place. ``swept``:
    all keys of the source were compared with what had landed, and what was missing is in the
    log of missing records. ``notices``: fields that no contract knows, and the like.
    """

    entity: str
    started_at: datetime
    ended_at: datetime
    complete: bool
    records: int = 0
    unchanged: int = 0
    quarantined: int = 0
    cursor_from: str | None = None
    cursor_to: str | None = None
    clock_offset_seconds: float | None = None
    clock_uncertainty_seconds: float | None = None
    error_kind: str | None = None
    error: str | None = None
    notices: tuple[str, ...] = ()
    swept: bool = False

    @property
    def seconds(self) -> float:
        """How long reading and typing took."""
        return (self.ended_at - self.started_at).total_seconds()

    def as_json(self) -> dict[str, Any]:
        content = asdict(self)
        content["started_at"] = self.started_at.isoformat()
        content["ended_at"] = self.ended_at.isoformat()
        return content

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> EntityReport:
        moments = {
            name: datetime.fromisoformat(content[name]) for name in ("started_at", "ended_at")
        }
        return cls(**{**content, **moments, "notices": tuple(content["notices"])})


@dataclass(frozen=True)
class Extracted:
    """What one system told in one pass, typed and spooled in ``folder``, not landed yet."""

    system: str
    extraction_id: str
    run_id: str
    folder: Path
    entities: tuple[EntityReport, ...]


@dataclass(frozen=True)
class LoadReport:
    """What became of one system's extraction. ``load_id`` is None when it could not be landed."""

    system: str
    extraction_id: str
    load_id: str | None
    entities: tuple[EntityReport, ...] = field(default=())

    @property
    def complete(self) -> bool:
        """Whether every entity was read to its end and landed."""
        return self.load_id is not None and all(entity.complete for entity in self.entities)

    @property
    def records(self) -> int:
        return sum(entity.records for entity in self.entities)

    @property
    def quarantined(self) -> int:
        return sum(entity.quarantined for entity in self.entities)
