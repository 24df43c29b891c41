"""Looks for records that have vanished: all keys of an entity against what landed before.

One miss proves nothing: the models take a record for deleted once two complete sweeps in a row have
missed it (dbt_project: int_deleted_records). A record that stays deleted is missed by every sweep:
the log says so once, and landing.missing_records for each sweep (ingestion/landing.py).
What is there and had not landed is new, or was never read: ingestion/unread.py.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pyarrow as pa

from connectors.base import Source, SourceError, SweptSource
from ingestion import unread
from ingestion.landing import (
    IS_BACK,
    MISSING_CHANGES,
    known_records,
    missing_records,
    noted_missing,
)
from ingestion.report import Clock, EntityReport
from ingestion.spool import MISSING, UNREAD, SpoolWriter
from ingestion.warehouse import warehouse
from registry.contracts import arrow_schema
from registry.settings import Settings

log = logging.getLogger(__name__)

# More than both at once are taken for a lost right to read, unless the systems file allows them.
VANISH_RECORDS = 20
VANISH_SHARE = 0.02


def due(source: Source, last: Mapping[str, datetime], now: datetime) -> frozenset[str]:
    """The entities whose keys shall be swept now. ``last``: when each was swept, if ever."""
    if not isinstance(source, SweptSource):
        return frozenset()
    pause = timedelta(seconds=source.system.sweep_seconds)
    return frozenset(
        entity for entity in source.swept if entity not in last or now - last[entity] >= pause
    )


def run(
    source: Source,
    report: EntityReport,
    extraction_id: str,
    settings: Settings,
    writer: SpoolWriter,
    clock: Clock,
) -> EntityReport:
    """Sweep the entity of a complete report and spool what is missing, and what is there though
    nothing has landed of it; the report says so.

    A sweep that fails, finds nothing at all where there was something, or misses too much at once,
    is no sweep: the report keeps a notice, and the next pass tries again. Never raises for what the
    source did.
    """
    system, entity = source.system.name, report.entity
    # What landed before the keys are read: a record that comes meanwhile is not missed.
    with warehouse(settings, f"known records of {system}") as connection:
        known = known_records(connection, system, entity)
        missed_before = missing_records(connection, system, entity)
        noted = noted_missing(connection, system, entity)
    try:
        present = _present(source, entity, known)
        _believable(source, entity, expected=known - missed_before, present=present)
    except SourceError as failure:
        return _not_swept(report, str(failure), clock)
    except Exception as failure:
        log.exception("sweeping the keys of %s of %s failed", entity, system)
        return _not_swept(report, repr(failure), clock)
    ended = clock.now()
    # Only what changes: the same thousands that are gone would land again with each sweep.
    missing = known - present
    rows = [
        {
            "system": system,
            "entity": entity,
            "record_id": record_id,
            "extraction_id": extraction_id,
            "missed_at": ended,
            IS_BACK: record_id not in missing,
        }
        for record_id in sorted(missing ^ noted)
    ]
    writer.write(MISSING, pa.Table.from_pylist(rows, schema=arrow_schema(MISSING_CHANGES)))
    # What was read from its start has just told all that a reading can tell.
    if report.cursor_from is not None:
        new = present - known
        writer.write(UNREAD, unread.told(system, entity, extraction_id, new, ended))
    return replace(report, swept=True, ended_at=ended)


def _present(source: Source, entity: str, known: set[str]) -> set[str]:
    assert isinstance(source, SweptSource)
    present: set[str] = set()
    for keys in source.keys(entity):
        present.update(keys)
    if known and not present:
        raise SourceError(
            "empty_sweep",
            f"{source.system.name} shows no {entity} at all where it had {len(known):,}: taken for "
            f"a fault and not for their deletion; check its rights to read them",
        )
    return present


def _believable(source: Source, entity: str, expected: set[str], present: set[str]) -> None:
    """Raises SourceError if far more has vanished since the sweep before than people delete."""
    system, vanished = source.system, len(expected - present)
    usual = max(VANISH_RECORDS, int(VANISH_SHARE * len(expected)))
    if vanished > (usual if system.vanish_limit is None else system.vanish_limit):
        raise SourceError(
            "many_vanished",
            f"{vanished:,} of {len(expected):,} {entity} vanished from {system.name} at once, such "
            f"as {min(expected - present)}: taken for a fault and not for their deletion; check "
            f"its rights to read them. If they were deleted, confirm it with vanish_limit = "
            f"{vanished} in the systems file, until this notice is gone",
        )


def _not_swept(report: EntityReport, reason: str, clock: Clock) -> EntityReport:
    notice = f"deleted records were not looked for: {reason}"
    return replace(report, ended_at=clock.now(), notices=(*report.notices, notice))
