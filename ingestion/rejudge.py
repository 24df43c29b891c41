"""Judges rows in quarantine again when their contract has changed since it refused them.

A source that reads on from a cursor tells a refused record again only when the record changes
there. So quarantine keeps what the source told, and a row that passes now lands as it would have
landed then: under its own extraction, in its own place and with the times of that extraction. A row
that is still refused is noted under the present contract, so that it is not judged again until that
changes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

import duckdb
import pyarrow as pa

from connectors.base import Record
from ingestion.landing import quarantine_schema, refused_entities, refused_otherwise
from ingestion.typing import BatchTyper, ReceivedRecord, TypedBatch
from registry.contracts import Contract

# The columns by which a landed row belongs to its extraction, and the same ones in quarantine.
OWN_PLACE = {"_extraction_id": "extraction_id", "_sequence": "sequence"}


def due(
    connection: duckdb.DuckDBPyConnection, system: str, contracts: Mapping[str, Contract]
) -> dict[str, pa.Table]:
    """By entity, the rows in quarantine that are to be judged again; no entity without any."""
    found = {
        entity: refused_otherwise(connection, system, contracts[entity])
        for entity in sorted(refused_entities(connection, system) & contracts.keys())
    }
    return {entity: refused for entity, refused in found.items() if refused.num_rows}


def judge(refused: pa.Table, contract: Contract, typer: BatchTyper, now: datetime) -> TypedBatch:
    """The verdict on rows of one entity under its present contract."""
    received = [_as_received(row) for row in refused.to_pylist()]
    typed = typer.type(contract, received, "", 0, now)
    accepted = typed.accepted
    for name, origin in OWN_PLACE.items():
        own = refused[origin].take(typed.accepted["_sequence"])
        accepted = accepted.set_column(accepted.schema.get_field_index(name), name, own)
    still = refused.take(typed.quarantined["sequence"])
    # Of the first verdict all stays but the reason: who waits for the row has waited since then.
    for name in ("content_hash", "reason_code", "field", "reason", "contract"):
        verdict = typed.quarantined[name]
        still = still.set_column(still.schema.get_field_index(name), name, verdict)
    return TypedBatch(accepted, still.cast(quarantine_schema()), typed.unknown_fields)


def _as_received(row: Mapping[str, object]) -> ReceivedRecord:
    record = Record(
        record_id=str(row["record_id"] or ""),
        fields=json.loads(str(row["fields"])),
        raw=str(row["raw"]),
        reference=None if row["reference"] is None else str(row["reference"]),
    )
    extracted_at, source_now = row["extracted_at"], row["source_now"]
    assert isinstance(extracted_at, datetime) and isinstance(source_now, datetime)
    return ReceivedRecord(record, extracted_at, source_now)
