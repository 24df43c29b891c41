"""Published builds: read-only copies of the warehouse and its marts behind one swapped link.

Layout of ``published/``::

    <build>/tallyman.duckdb     the whole warehouse as of that build
    <build>/marts/<mart>.parquet
    <build>/manifest.json       what is in it: row counts, sizes, when and from which rows
    current -> <build>

A reader in another process would block the pipeline (DuckDB), so nothing but the pipeline opens the
live file. A build appears at once or not at all, and whoever has an old one open keeps reading it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from ingestion.warehouse import connect_config, warehouse, warehouse_lock
from registry.crash_points import crash_point
from registry.errors import TallymanError
from registry.settings import Settings

KEPT_BUILDS = 3
DATABASE = "tallyman.duckdb"
MANIFEST = "manifest.json"
MARTS_SCHEMA = "marts"

_LINK = "current"
_PARTIAL = ".partial"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_READ_ONLY = 0o444


class NothingPublishedError(TallymanError):
    """There is no published build to read."""

    exit_code = 4


class PublishError(TallymanError):
    """A build could not be published; the one before it stays current."""

    exit_code = 5


@dataclass(frozen=True)
class PublishedBuild:
    """One published build; ``marts`` maps a mart to its number of rows."""

    build_id: str
    folder: Path
    marts: dict[str, int]

    @property
    def database(self) -> Path:
        return self.folder / DATABASE

    @property
    def mart_count(self) -> int:
        return len(self.marts)


@dataclass(frozen=True)
class _Table:
    schema: str
    name: str
    rows: int


def publish(settings: Settings, build_id: str) -> PublishedBuild:
    """Copy the live warehouse, export its marts, and make the copy the current one.

    Waits for the warehouse's lock and holds it to the end, so that nobody else publishes meanwhile.
    Keeps the newest KEPT_BUILDS builds. Raises PublishError, and leaves what was current before
    untouched.
    """
    if not _NAME.fullmatch(build_id) or build_id == _LINK or build_id.endswith(_PARTIAL):
        raise PublishError(f"'{build_id}' can't name a build: use letters, digits, '.', '_', '-'")
    with warehouse_lock(settings, "publishing"):
        return _publish(settings, build_id)


def _publish(settings: Settings, build_id: str) -> PublishedBuild:
    published = settings.published
    published.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(published)
    folder = published / build_id
    if _current(settings) == folder.resolve():
        raise PublishError(f"build {build_id} is published already: use another name")
    shutil.rmtree(folder, ignore_errors=True)

    partial = published / f"{build_id}{_PARTIAL}"
    try:
        marts = _fill(settings, partial, build_id)
    except BaseException:
        # What stopped at a full disk must not keep it full: the next pass loads before it cleans.
        shutil.rmtree(partial, ignore_errors=True)
        raise

    partial.replace(folder)
    crash_point("reporting.before_swap")
    _swap_link(published, build_id)
    _remove_old_builds(settings)
    return PublishedBuild(build_id, folder, marts)


def _fill(settings: Settings, folder: Path, build_id: str) -> dict[str, int]:
    """Put the whole build into a folder; returns its marts with their rows."""
    (folder / MARTS_SCHEMA).mkdir(parents=True)
    database = folder / DATABASE
    _copy_live_file(settings, database)
    crash_point("reporting.after_copy")
    try:
        with opened_to_read(settings, database) as connection:
            tables = _export_marts(connection, folder / MARTS_SCHEMA)
            newest = _newest_extraction(connection)
    except (duckdb.Error, OSError) as error:
        raise PublishError(
            f"build {build_id} could not be published: {error}. The build before it stays current"
        ) from error
    marts = {table.name: table.rows for table in tables if table.schema == MARTS_SCHEMA}
    content = {
        "build_id": build_id,
        "published_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "newest_extraction_ended_at": newest,
        "duckdb_version": duckdb.__version__,
        "database": {"file": DATABASE, "bytes": database.stat().st_size},
        "marts": {
            name: {"rows": rows, "file": f"{MARTS_SCHEMA}/{name}.parquet"}
            for name, rows in marts.items()
        },
        "rows": {f"{table.schema}.{table.name}": table.rows for table in tables},
    }
    (folder / MANIFEST).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    _make_read_only(folder)
    return marts


@contextlib.contextmanager
def published_connection(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The newest published build, read-only, in UTC: the only way to read for people and reports.

    Raises NothingPublishedError when there is none yet.
    """
    folder = _current(settings)
    # The build's own path and not the link's: DuckDB hands out a database that this process has
    # open under the same path, which would be the old build for as long as anyone reads it.
    database = folder / DATABASE if folder else None
    if database is None or not database.is_file():
        raise NothingPublishedError(
            f"nothing is published yet in {settings.published}: run `tallyman sync` "
            "(or `tallyman demo`) first"
        )
    with opened_to_read(settings, database) as connection:
        yield connection


def published_manifest(settings: Settings) -> dict[str, Any]:
    """The manifest of the current build; raises NothingPublishedError when there is none."""
    folder = _current(settings)
    if folder is None:
        raise NothingPublishedError(f"nothing is published yet in {settings.published}")
    content: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return content


def published_at(settings: Settings) -> datetime:
    """When the current build was published; raises NothingPublishedError when there is none."""
    return datetime.fromisoformat(published_manifest(settings)["published_at"])


def _current(settings: Settings) -> Path | None:
    link = settings.published / _LINK
    return link.resolve() if link.exists() else None


def _copy_live_file(settings: Settings, destination: Path) -> None:
    """Copy the file while it is closed and its lock is held, after a checkpoint.

    Closed, because reading a file through a second descriptor and closing that one releases the
    locks that DuckDB holds on it in this process.
    """
    with warehouse(settings, "publishing") as connection:
        connection.execute("checkpoint")
    log_of_changes = settings.warehouse.with_name(settings.warehouse.name + ".wal")
    if log_of_changes.exists() and log_of_changes.stat().st_size:
        raise PublishError(
            f"{settings.warehouse} still has a log of changes, so a copy would miss the newest "
            "rows: another connection of this process has it open; close it and publish again"
        )
    shutil.copyfile(settings.warehouse, destination)
    with destination.open("rb") as copied:
        os.fsync(copied.fileno())


def _export_marts(connection: duckdb.DuckDBPyConnection, folder: Path) -> list[_Table]:
    """Write every mart as Parquet; returns all tables of the copy, and the marts that are views."""
    relations = connection.execute(
        "select schema_name, table_name from duckdb_tables() where not internal "
        "union all select schema_name, view_name from duckdb_views() "
        # No parameters: the first one of a process has DuckDB import pandas, which takes a second.
        f"where not internal and schema_name = '{MARTS_SCHEMA}' order by all"
    ).fetchall()
    tables = []
    for schema, name in relations:
        relation = f'"{schema}"."{name}"'
        if schema == MARTS_SCHEMA:
            target = str(folder / f"{name}.parquet").replace("'", "''")
            # Tells how many rows it wrote. To count those of a view would be to make it twice.
            command = f"copy {relation} to '{target}' (format parquet, compression zstd)"
        else:
            command = f"select count(*) from {relation}"
        counted = connection.execute(command).fetchone()
        tables.append(_Table(schema, name, int(counted[0]) if counted else 0))
    return tables


def _newest_extraction(connection: duckdb.DuckDBPyConnection) -> str | None:
    """When the newest extraction in the copy ended, UTC, ISO 8601."""
    row = connection.execute(
        "select strftime(max(ended_at) at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') "
        "from landing.extractions"
    ).fetchone()
    return row[0] if row else None


def _make_read_only(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(_READ_ONLY)


def _swap_link(published: Path, build_id: str) -> None:
    new_link = published / f"{_LINK}{_PARTIAL}"
    new_link.symlink_to(build_id, target_is_directory=True)
    new_link.replace(published / _LINK)


def _remove_leftovers(published: Path) -> None:
    """What a process that was killed while publishing has left."""
    for path in published.glob(f"*{_PARTIAL}"):
        if path.is_symlink() or path.is_file():
            path.unlink()
        else:
            shutil.rmtree(path)


def _remove_old_builds(settings: Settings) -> None:
    current = _current(settings)
    builds = [
        path
        for path in settings.published.iterdir()
        if path.is_dir() and not path.is_symlink() and path.resolve() != current
    ]
    builds.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in builds[KEPT_BUILDS - 1 :]:
        shutil.rmtree(path)


@contextlib.contextmanager
def opened_to_read(settings: Settings, database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A file that nobody writes any more: read-only, in UTC."""
    connection = duckdb.connect(str(database), read_only=True, config=connect_config(settings))
    try:
        connection.execute("set TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()
