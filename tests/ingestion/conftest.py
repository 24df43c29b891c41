"""Fixtures of the ingestion tests."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fakes import FakeClock, make_registry, make_settings, wms_system

from ingestion.landing import refresh_views
from ingestion.warehouse import warehouse
from registry.settings import Settings
from registry.systems import Registry, System

Query = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path)


@pytest.fixture
def wms() -> System:
    return wms_system()


@pytest.fixture
def registry(tmp_path: Path, wms: System) -> Registry:
    return make_registry(tmp_path, wms)


@pytest.fixture
def query(settings: Settings, registry: Registry) -> Query:
    """Refresh the views, then answer a query."""

    def ask(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with warehouse(settings) as connection:
            refresh_views(connection, registry)
            return connection.execute(sql, list(parameters)).fetchall()

    return ask
