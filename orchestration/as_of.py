"""The warehouse as of a past moment: a copy that forgets what was loaded later, built by the same
models. By what was known then, and by the rules of the published build."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from ingestion.warehouse import warehouse
from orchestration.dbt_build import build_pass
from registry.errors import ConfigurationError, TallymanError
from registry.settings import Settings
from reporting.moments import asked_moment
from reporting.publish import opened_to_read, published_connection

FOLDER = "as_of"


class NothingKnownError(TallymanError):
    """Nothing had been loaded by then."""

    exit_code = 4


@dataclass(frozen=True)
class KnownFeed:
    """What one system had told by then: its records, and when its last load had ended."""

    system: str
    records: int
    last_loaded_at: datetime | None


@dataclass(frozen=True)
class PastWarehouse:
    """``file`` is a DuckDB file with all layers as of ``moment``; it stays until the next call."""

    settings: Settings
    moment: datetime
    feeds: tuple[KnownFeed, ...]

    @property
    def file(self) -> Path:
        return self.settings.warehouse

    def connection(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """The file, read-only, in UTC."""
        return opened_to_read(self.settings, self.file)


def moment_of(text: str, now: datetime) -> datetime:
    """A moment in UTC, as ``asked_moment``. Raises ConfigurationError also for one to come."""
    moment = asked_moment(text, "moment", "2026-11-26T01:30Z or 2026-11-26")
    if moment > now:
        raise ConfigurationError(f"{moment.isoformat()} is still to come: it is {now.isoformat()}")
    return moment


def as_of(
    settings: Settings, moment: datetime, progress: Callable[[str], None] = lambda _: None
) -> PastWarehouse:
    """Build the published warehouse again from the loads that had ended by ``moment``.

    Nothing live is touched. Raises NothingPublishedError, NothingKnownError naming the first load,
    and BuildError.
    """
    past = replace(settings, home=settings.home / FOLDER)
    shutil.rmtree(past.home, ignore_errors=True)
    past.home.mkdir(parents=True)
    progress("copying the published build")
    with published_connection(settings) as connection:
        source = Path(
            connection.execute(
                "select path from duckdb_databases() where database_name = current_database()"
            ).fetchall()[0][0]
        )
        # While it is open no newer build can remove it.
        shutil.copyfile(source, past.warehouse)
    with warehouse(past, "as of") as connection:
        feeds = _forget(connection, moment)
    progress("building the models as of then")
    build_pass(past)
    with warehouse(past, "as of"):
        pass  # waits until the file is whole
    return PastWarehouse(past, moment, feeds)


def _forget(connection: duckdb.DuckDBPyConnection, moment: datetime) -> tuple[KnownFeed, ...]:
    """Let all later loads count as unfinished, which every view leaves out."""
    systems = [
        schema.removeprefix("raw_")
        for (schema,) in connection.execute(
            "select schema_name from duckdb_tables() where table_name = '_dlt_loads' "
            "and starts_with(schema_name, 'raw_') order by schema_name"
        ).fetchall()
    ]
    for system in systems:
        connection.execute(
            f"update raw_{system}._dlt_loads set status = 1 where inserted_at > $moment",
            {"moment": moment},
        )
    feeds = tuple(_known(connection, system) for system in systems)
    if not any(feed.last_loaded_at for feed in feeds):
        first = min(_first_load(connection, system) for system in systems) if systems else None
        told = f"the first load ended at {first:%Y-%m-%d %H:%M:%S} UTC" if first else "no load yet"
        raise NothingKnownError(f"nothing was known by {moment:%Y-%m-%d %H:%M} UTC: {told}")
    return feeds


def _known(connection: duckdb.DuckDBPyConnection, system: str) -> KnownFeed:
    row: Any = connection.execute(
        f"""
        select
            (select max(inserted_at) from raw_{system}._dlt_loads where status = 0),
            (select coalesce(sum(records), 0) from landing.extractions where system = $system)
        """,
        {"system": system},
    ).fetchone()
    return KnownFeed(system, int(row[1]), row[0])


def _first_load(connection: duckdb.DuckDBPyConnection, system: str) -> datetime:
    row: Any = connection.execute(
        f"select min(inserted_at) from raw_{system}._dlt_loads"
    ).fetchone()
    first: datetime = row[0]
    return first
