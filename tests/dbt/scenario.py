"""A tiny warehouse from landing rows written in Python: what a few systems said, and when.

Nothing here knows a rule. ``Scenario`` collects rows and extractions; ``write`` puts them into the
``landing`` and ``config`` schemas as tables, shaped by the contracts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from ingestion.landing import (
    EXTRACTION_COLUMNS,
    MISSING,
    MISSING_COLUMNS,
    QUARANTINE_COLUMNS,
    WITHDRAWN,
    WITHDRAWN_COLUMNS,
)
from ingestion.warehouse import connect_config
from registry.contracts import SYSTEM_COLUMNS, contract_of, load_contracts
from registry.settings import load_settings

NOW = datetime(2026, 11, 10, 12, 0, tzinfo=UTC)
SYSTEMS = {
    "oms": ("oms", "demo_oms", "UTC"),
    "erp": ("erp", "demo_erp", "America/New_York"),
    "wms": ("wms", "demo_wms", "UTC"),
    "carrier": ("carrier", "demo_carrier", "UTC"),
}
WMS_CLOCK_AHEAD_SECONDS = 150.0


def ago(minutes: float = 0, hours: float = 0, days: float = 0) -> datetime:
    """A moment before the first pass."""
    return NOW - timedelta(minutes=minutes, hours=hours, days=days)


@dataclass
class Extraction:
    """One reading of one feed, with the rows it brought in their order."""

    system: str
    entity: str
    started_at: datetime
    rows: list[dict[str, Any]] = field(default_factory=list)
    complete: bool = True
    offset: float = 0.0
    uncertainty: float = 0.5
    missing: tuple[str, ...] | None = None

    @property
    def extraction_id(self) -> str:
        return f"{self.system}.{self.entity}@{self.started_at.isoformat()}"


class Scenario:
    """What all systems said over one or more passes."""

    def __init__(self, systems: Mapping[str, tuple[str, str, str]] = SYSTEMS) -> None:
        self.systems = dict(systems)
        self.settings: dict[str, dict[str, Any]] = {}
        self.extractions: list[Extraction] = []
        self.quarantined: list[dict[str, Any]] = []
        self.approval_above = 1000.0
        self.graces: dict[str, int] = {}
        self._rows: dict[tuple[str, str], list[dict[str, Any]]] = {}

    def say(self, system: str, entity: str, **fields: Any) -> None:
        """Add a row to what the next pass reads of a feed."""
        self._rows.setdefault((system, entity), []).append(fields)

    def waiting(self) -> list[tuple[tuple[str, str], list[dict[str, Any]]]]:
        """(system, entity) and rows of what the next pass will read."""
        return list(self._rows.items())

    def correction(self, **fields: Any) -> None:
        """Add a version of one of our own corrections to the next pass."""
        self._rows.setdefault(("tallyman", "corrections"), []).append(fields)

    def quarantine(self, system: str, entity: str, record_id: str, reference: str | None) -> None:
        """A row that broke its contract in the pass at NOW."""
        self.quarantined.append(
            {
                "system": system,
                "entity": entity,
                "record_id": record_id,
                "reference": reference,
                "content_hash": "broken",
                "extraction_id": Extraction(system, entity, NOW).extraction_id,
                "quarantined_at": NOW,
                "reason_code": "future_time",
                "field": "shipped_ms",
                "reason": "in the future",
                "raw": "{}",
            }
        )

    def read(
        self,
        at: datetime = NOW,
        failed: Iterable[tuple[str, str]] = (),
        offsets: Mapping[str, float] | None = None,
        missing: Mapping[tuple[str, str], tuple[str, ...]] | None = None,
    ) -> None:
        """Every configured feed is read once, at ``at``; ``failed`` ones only in part.

        ``offsets`` gives a system's clock minus ours in seconds where it is not the usual one.
        ``missing``: the feeds whose keys are swept, with the record ids that are not found.
        """
        unfinished = set(failed)
        for system, (_, connector, _) in [
            *self.systems.items(),
            ("tallyman", ("tallyman", "tallyman", "UTC")),
        ]:
            usual = WMS_CLOCK_AHEAD_SECONDS if connector == "demo_wms" else 0.0
            for contract in load_contracts():
                if contract.connector != connector:
                    continue
                self.extractions.append(
                    Extraction(
                        system,
                        contract.entity,
                        at,
                        self._rows.pop((system, contract.entity), []),
                        complete=(system, contract.entity) not in unfinished,
                        offset=(offsets or {}).get(system, usual),
                        missing=(missing or {}).get((system, contract.entity)),
                    )
                )

    def write(self, path: Path) -> None:
        """Make the landing and config schemas of a warehouse file anew."""
        connection = duckdb.connect(str(path), config=connect_config(load_settings(path.parent)))
        try:
            connection.execute("set TimeZone = 'UTC'")
            for schema in ("landing", "config"):
                connection.execute(f"drop schema if exists {schema} cascade")
                connection.execute(f"create schema {schema}")
            self._write_landing(connection)
            self._write_log(connection)
            self._write_config(connection)
        finally:
            connection.close()

    def _write_landing(self, connection: duckdb.DuckDBPyConnection) -> None:
        for contract in load_contracts():
            columns = {c.name: c.duckdb_type for c in contract.columns} | dict(SYSTEM_COLUMNS)
            _table(connection, f"landing.{contract.name}", columns, [])
        for extraction in self.extractions:
            connector = (
                "tallyman"
                if extraction.system == "tallyman"
                else self.systems[extraction.system][1]
            )
            contract = contract_of(connector, extraction.entity)
            transport = {c.name for c in contract.columns if c.transport}
            names = [c.name for c in contract.columns]
            rows = []
            for sequence, fields in enumerate(extraction.rows):
                content = {k: str(v) for k, v in fields.items() if k not in transport}
                text = json.dumps(content, sort_keys=True)
                rows.append(
                    (
                        *(fields.get(name) for name in names),
                        extraction.system,
                        contract.record_id(fields),
                        hashlib.sha256(text.encode()).hexdigest()[:16],
                        extraction.extraction_id,
                        extraction.started_at + timedelta(milliseconds=sequence),
                        sequence,
                        text,
                        "load",
                    )
                )
            _insert(connection, f"landing.{contract.name}", rows)

    def _write_log(self, connection: duckdb.DuckDBPyConnection) -> None:
        _table(
            connection,
            "landing.extractions",
            EXTRACTION_COLUMNS,
            [
                _row(
                    EXTRACTION_COLUMNS,
                    system=e.system,
                    entity=e.entity,
                    extraction_id=e.extraction_id,
                    run_id="run",
                    started_at=e.started_at,
                    ended_at=e.started_at + timedelta(seconds=1),
                    complete=e.complete,
                    records=len(e.rows),
                    quarantined=0,
                    clock_offset_seconds=e.offset,
                    clock_uncertainty_seconds=e.uncertainty,
                    error_kind=None if e.complete else "timeout",
                    swept=e.missing is not None,
                    load_order=number,
                )
                for number, e in enumerate(self.extractions)
            ],
        )
        _table(
            connection,
            "landing.quarantine",
            QUARANTINE_COLUMNS,
            [_row(QUARANTINE_COLUMNS, **row) for row in self.quarantined],
        )
        _table(connection, f"landing.{WITHDRAWN}", WITHDRAWN_COLUMNS, [])
        _table(
            connection,
            f"landing.{MISSING}",
            MISSING_COLUMNS,
            [
                (e.system, e.entity, record_id, e.extraction_id, e.started_at)
                for e in self.extractions
                for record_id in e.missing or ()
            ],
        )

    def _write_config(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(
            "create table config.systems (system varchar, role varchar, connector varchar, "
            "region varchar, legal_entity varchar, time_zone varchar, settle_seconds double, "
            "write_mode varchar, locations varchar, has_no varchar)"
        )
        connection.execute(
            "create table config.feeds (system varchar, entity varchar, settle_seconds double)"
        )
        connection.execute(
            "create table config.rule_settings (rule_id varchar, grace_minutes bigint)"
        )
        _insert(connection, "config.rule_settings", list(self.graces.items()))
        connection.execute(
            "create table config.policy (approval_above double, approval_kinds varchar, "
            "config_hash varchar)"
        )
        for system, (role, connector, zone) in self.systems.items():
            settings = self.settings.get(system, {})
            region = settings.get("region", "*")
            _insert(
                connection,
                "config.systems",
                [(system, role, connector, region, "*", zone, 2.0, "on", "", "")],
            )
            _insert(
                connection,
                "config.feeds",
                [(system, c.entity, 2.0) for c in load_contracts() if c.connector == connector],
            )
        kinds = "reverse_fulfilment,void_invoice,cancel_order"
        _insert(connection, "config.policy", [(self.approval_above, kinds, "test")])


def erp_local(moment: datetime) -> datetime:
    """The naive local time that the ERP shows, to the second."""
    local = moment.astimezone(ZoneInfo("America/New_York"))
    return local.replace(tzinfo=None, microsecond=0)


def wms_ms(moment: datetime) -> int:
    """Milliseconds since 1970 on the warehouse's clock, which runs ahead."""
    return int((moment.timestamp() + WMS_CLOCK_AHEAD_SECONDS) * 1000)


def _row(columns: Mapping[str, str], **values: Any) -> tuple[Any, ...]:
    return tuple(values.get(name) for name in columns)


def _table(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    columns: Mapping[str, str],
    rows: list[tuple[Any, ...]],
) -> None:
    described = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
    connection.execute(f"create table {name} ({described})")
    _insert(connection, name, rows)


def _insert(connection: duckdb.DuckDBPyConnection, name: str, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        marks = ", ".join("?" for _ in rows[0])
        connection.executemany(f"insert into {name} values ({marks})", rows)
