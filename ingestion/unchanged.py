"""Leaves out what a source tells again just as it landed last.

So it is with contracts with ``changesOnly``, and wherever a reading goes over what was told before:
one that has no place to go on from (a source that keeps none, a search by ingestion/unread.py), or
that comes after one that broke off and kept none. To the models a row that repeats
the version right before it says nothing new (dbt_project/macros/observed.sql), so it need not land.
What is told while its last version is in doubt (refused since then, or missed by a sweep) always
lands: that it was seen again is what settles the doubt.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.landing import broken_off, last_versions
from ingestion.typing import TypedBatch
from registry.contracts import Contract


def known(
    connection: duckdb.DuckDBPyConnection,
    system: str,
    contracts: Mapping[str, Contract],
    cursors: Mapping[str, str | None],
) -> dict[str, pa.Table]:
    """By entity of which only changes land, the version of each record that landed last.

    ``cursors``: from where the entities are read.
    """
    stopped = broken_off(connection, system)
    versions = {
        entity: last_versions(connection, system, entity)
        for entity, contract in sorted(contracts.items())
        if contract.changes_only
        or (not contract.snapshot and (cursors.get(entity) is None or entity in stopped))
    }
    return {entity: landed for entity, landed in versions.items() if landed.num_rows}


class LastVersions:
    """What landed last of one entity; ``versions`` has ``_record_id`` and ``_content_hash``."""

    def __init__(self, versions: pa.Table) -> None:
        self._ids = versions["_record_id"].combine_chunks()
        self._hashes = versions["_content_hash"].combine_chunks()
        self._told: list[pa.Array] = []

    def news(self, typed: TypedBatch) -> pa.Table:
        """The accepted rows that must land; batches come in the order in which they were told."""
        rows = typed.accepted
        ids = rows["_record_id"].combine_chunks()
        counts = pc.value_counts(ids)
        twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
        refused = typed.quarantined["record_id"].combine_chunks()
        # This reading itself has told something else of them, or may have.
        unsettled = pa.concat_arrays([*self._told, twice, refused])
        last = self._hashes.take(pc.index_in(ids, value_set=self._ids))
        is_same = pc.fill_null(pc.equal(last, rows["_content_hash"].combine_chunks()), False)
        is_old = pc.and_(is_same, pc.invert(pc.is_in(ids, value_set=unsettled)))
        news = rows.filter(pc.invert(is_old))
        self._told += [news["_record_id"].combine_chunks(), refused]
        return news
