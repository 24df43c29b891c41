"""Records that a sweep of keys saw and no reading told: their entity is read from its start.

A source that reads on from a cursor looks back by ``settle_seconds``. A record that a longer
transaction commits behind that place has a time stamp that no later reading asks for. Its key is
there all the same: what a sweep saw, and a complete reading after ``settle_seconds`` has still not
told, is sought once by a reading without a cursor, of which only news lands.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.landing import UNREAD_COLUMNS, records_unread
from ingestion.typing import TypedBatch
from registry.contracts import arrow_schema
from registry.systems import System


def due(connection: duckdb.DuckDBPyConnection, system: System) -> dict[str, pa.Array]:
    """By entity, the ids of the records for which it shall be read from its start; none without."""
    return records_unread(connection, system.name, system.settle_seconds)


def told(
    system: str,
    entity: str,
    extraction_id: str,
    record_ids: Iterable[str],
    at: datetime,
    is_sought: bool = False,
) -> pa.Table:
    """Rows of the log of unread records: seen by a sweep, or sought by a reading."""
    rows = [
        {
            "system": system,
            "entity": entity,
            "record_id": record_id,
            "extraction_id": extraction_id,
            "seen_at": at,
            "is_sought": is_sought,
        }
        for record_id in sorted(record_ids)
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema(UNREAD_COLUMNS))


class Sought:
    """The records for which one entity is read from its start, and which of them it told."""

    def __init__(self, record_ids: pa.Array, system: System) -> None:
        self.record_ids = record_ids
        self._left = record_ids
        self._system = system

    def strike_off(self, typed: TypedBatch) -> None:
        """Note what was read; a row in quarantine was read, too."""
        for ids in (typed.accepted["_record_id"], typed.quarantined["record_id"]):
            self._left = self._left.filter(
                pc.invert(pc.is_in(self._left, value_set=ids.combine_chunks()))
            )

    def notices(self) -> tuple[str, ...]:
        """For people: what came too late to be read, and what can't be read at all."""
        found = self.record_ids.filter(
            pc.invert(pc.is_in(self.record_ids, value_set=self._left))
        ).to_pylist()
        left = self._left.to_pylist()
        notices = []
        if found:
            notices.append(
                f"{_counted(len(found), 'record')} came later than settle_seconds "
                f"({self._system.settle_seconds:g}) allows, such as {min(found)}: all was read "
                f"again; let settle_seconds be longer than the longest transaction of "
                f"{self._system.name}"
            )
        if left:
            notices.append(
                f"{_counted(len(left), 'record')} of its list of keys can't be read, such as "
                f"{min(left)}: deleted since, or kept from us by its rights"
            )
        return tuple(notices)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
