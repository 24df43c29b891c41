"""Loads a systems file of drops into a warehouse, in this process or in one that may be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb

from connectors.factory import make_source
from ingestion.landing import refresh_views
from ingestion.load import load_system
from ingestion.report import LoadReport
from ingestion.warehouse import warehouse
from registry.settings import Settings, load_settings
from registry.systems import load_registry
from writeback.clock import SystemClock

ROOT = Path(__file__).resolve().parents[2]


def load(settings: Settings) -> list[LoadReport]:
    """One pass over all systems of the file, views renewed."""
    registry = load_registry(settings.systems_file)
    settings.home.mkdir(parents=True, exist_ok=True)
    reports = [
        load_system(system, make_source(system, {}), settings, "run", SystemClock())
        for system in registry.systems
    ]
    with warehouse(settings) as connection:
        refresh_views(connection, registry)
    return reports


def load_in_process(settings: Settings, crash_at: str) -> int:
    """The same in a process of its own, killed at a crash point; returns its exit code."""
    environment = {
        **os.environ,
        "TALLYMAN_CRASH_AT": crash_at,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)]),
    }
    command = [sys.executable, __file__, str(settings.home), str(settings.systems_file)]
    return subprocess.run(command, env=environment, check=False, timeout=120).returncode


def rows(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with warehouse(settings) as connection:
        return ask(connection, sql)


def ask(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql).fetchall()


if __name__ == "__main__":
    load(load_settings(sys.argv[1], sys.argv[2]))
