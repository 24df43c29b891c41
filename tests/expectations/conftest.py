"""A warehouse that holds typed landing views of one system, and a way to land rows in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion.landing import refresh_views
from ingestion.warehouse import warehouse
from registry.contracts import SYSTEM_COLUMNS, contract_of
from registry.settings import Settings
from registry.systems import Registry, System

Land = Callable[..., None]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", systems_file=tmp_path / "systems.toml")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(
        systems=(
            System(name="wms", role="wms", connector="demo_wms"),
            System(name="erp", role="erp", connector="demo_erp"),
        ),
        folder=tmp_path,
    )


@pytest.fixture
def connection(settings: Settings, registry: Registry) -> Iterator[duckdb.DuckDBPyConnection]:
    with warehouse(settings) as opened:
        refresh_views(opened, registry)
        yield opened


@pytest.fixture
def land(connection: duckdb.DuckDBPyConnection, registry: Registry) -> Land:
    """``land("wms", "items", [{...}], extraction="x2", day=2)``: one more extraction of a feed."""

    def insert(
        system: str,
        entity: str,
        rows: Sequence[Mapping[str, Any]],
        extraction: str = "x1",
        day: int = 1,
    ) -> None:
        contract = contract_of(registry.system(system).connector, entity)
        types = {column.name: column.duckdb_type for column in contract.columns}
        types.update(SYSTEM_COLUMNS)
        schema = f"raw_{system}"
        connection.execute(f"create schema if not exists {schema}")
        connection.execute(
            f"create table if not exists {schema}.{entity} "
            f"({', '.join(f'{name} {kind}' for name, kind in types.items())})"
        )
        connection.execute(
            f"create table if not exists {schema}._dlt_loads (load_id varchar, status bigint)"
        )
        connection.execute(
            f"create table if not exists {schema}.extractions (system varchar, entity varchar, "
            "extraction_id varchar, started_at timestamptz, ended_at timestamptz, "
            "complete boolean, records bigint, _dlt_load_id varchar)"
        )
        connection.execute(f"insert into {schema}._dlt_loads values (?, 0)", [extraction])
        connection.execute(
            f"insert into {schema}.extractions values (?, ?, ?, make_timestamptz(2026, 3, {day}, "
            f"8, 0, 0), make_timestamptz(2026, 3, {day}, 8, 1, 0), true, ?, ?)",
            [system, entity, extraction, len(rows), extraction],
        )
        for number, row in enumerate(rows):
            full = {
                "_system": system,
                "_record_id": contract.record_id(row),
                "_content_hash": f"hash-{number}",
                "_extraction_id": extraction,
                "_sequence": number,
                "_dlt_load_id": extraction,
                **row,
            }
            connection.execute(
                f"insert into {schema}.{entity} ({', '.join(full)}) "
                f"values ({', '.join('?' for _ in full)})",
                list(full.values()),
            )
        refresh_views(connection, registry)

    return insert
