"""A small live warehouse, as a pass leaves it: landing views, a core table, a view, two marts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from story import tell

from ingestion.landing import refresh_views
from ingestion.warehouse import warehouse
from registry.settings import Settings
from registry.systems import Registry, System

# The project that the model tests parse, for what tells of its models.
sys.path.append(str(Path(__file__).parents[1] / "dbt"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", systems_file=tmp_path / "systems.toml")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(
        systems=(System(name="erp", role="erp", connector="demo_erp"),), folder=tmp_path
    )


@pytest.fixture
def live(settings: Settings, registry: Registry) -> Settings:
    """Settings of an installation whose warehouse holds one order."""
    with warehouse(settings) as connection:
        refresh_views(connection, registry)
        for schema in ("core", "marts", "reconciliation"):
            connection.execute(f"create schema {schema}")
        connection.execute(
            "create table core.order_events as select 'SO-1/1' as order_line_id, 5::decimal(18,6) "
            "as quantity"
        )
        # As dbt writes a view here: no database's name in front, one view upon the other.
        connection.execute("create view reconciliation.first as select * from core.order_events")
        connection.execute(
            "create view reconciliation.exceptions as select order_line_id as object_id "
            'from "reconciliation"."first"'
        )
        connection.execute("create table marts.orders as select * from core.order_events")
        connection.execute("create table marts.empty_mart (order_number varchar)")
    return settings


@pytest.fixture
def told(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A build in which one order has a whole story (see story.py)."""
    systems = tuple(
        System(name=role, role=role, connector=f"demo_{role}")
        for role in ("oms", "erp", "wms", "carrier")
    )
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        tell(connection, Registry(systems=systems, folder=tmp_path))
        yield connection
