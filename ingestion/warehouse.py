"""The only opener of the live DuckDB file: one lock, one configuration, one integrity check.

DuckDB lets one process write, lets a reader in another process block that writer, and refuses a
second connection in the same process whose configuration differs. So nothing else in this code base
opens the live file; reports and people read the published copies.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from filelock import FileLock, Timeout

from registry.errors import TallymanError, WarehouseBusyError
from registry.settings import Settings

log = logging.getLogger(__name__)

DEFAULT_LOCK_TIMEOUT_SECONDS = 600.0

# Size of DuckDB's three header pages, which its count of blocks leaves out.
_HEADER_BYTES = 3 * 4096

# What DuckDB says about a file or a log of changes that can't be trusted. All else (a lock, a full
# disk, missing rights) says nothing about the content, and must not set the file aside.
_SIGNS_OF_DAMAGE = (
    "corrupt",
    "not a valid duckdb database",
    "checksum",
    "replaying wal",
    "serialization error",
    "deserialize",
    "internal error",
)


class DamagedWarehouseError(TallymanError):
    """The live file is damaged and could not be set aside."""


def connect_config(settings: Settings) -> dict[str, Any]:
    """The configuration of every connection to the live file, in any library of this process.

    dbt's profile must pass exactly this as ``config_options`` (and ``TimeZone: UTC`` under
    ``settings``, because DuckDB takes the time zone only after it has connected).
    """
    return {
        "memory_limit": settings.environment.get("TALLYMAN_MEMORY_LIMIT", "2GB"),
        "threads": int(settings.environment.get("TALLYMAN_THREADS", "2")),
    }


@contextlib.contextmanager
def warehouse_lock(
    settings: Settings,
    purpose: str = "tallyman",
    timeout_seconds: float = DEFAULT_LOCK_TIMEOUT_SECONDS,
) -> Iterator[None]:
    """Hold the right to open the live file; the same thread may take it again inside.

    Taken by ``warehouse`` itself; take it outside to keep others away while a library that opens
    the file on its own (dbt) works. Raises WarehouseBusyError naming the owner after the time out.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    path = settings.home / "warehouse.lock"
    lock = FileLock(str(path), is_singleton=True)
    try:
        lock.acquire(timeout=timeout_seconds, poll_interval=0.05)
    except Timeout:
        raise WarehouseBusyError(
            f"the warehouse {settings.warehouse} is in use by {_owner(path)}: wait for it to end, "
            f"or stop it (waited {timeout_seconds:.0f} s)"
        ) from None
    try:
        if lock.lock_counter == 1:
            path.write_text(f"process {os.getpid()} ({purpose})\n", encoding="utf-8")
        yield
    finally:
        lock.release()


def lock_owner(settings: Settings) -> str | None:
    """Who holds the warehouse now, for people to read; None when nobody does."""
    path = settings.home / "warehouse.lock"
    if not path.exists():
        return None
    # Not the shared lock object: this thread may itself be the owner, and would get it again.
    lock = FileLock(str(path))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return _owner(path)
    lock.release()
    return None


def _owner(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip() or "another process"
    except OSError:
        return "another process"


@contextlib.contextmanager
def warehouse(
    settings: Settings,
    purpose: str = "tallyman",
    timeout_seconds: float = DEFAULT_LOCK_TIMEOUT_SECONDS,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The live warehouse, locked, in UTC; checkpointed and closed at the end.

    A damaged file is set aside first and the last published copy takes its place; the loads since
    then come again from the sources, because cursors are read from the file itself.
    """
    with warehouse_lock(settings, purpose, timeout_seconds):
        connection = _open_sound(settings)
        try:
            yield connection
        finally:
            _close(connection)


def _open_sound(settings: Settings) -> duckdb.DuckDBPyConnection:
    try:
        return _open(settings)
    except duckdb.Error as error:
        if not _means_damage(error):
            raise
        _set_aside(settings, reason=str(error))
    try:
        return _open(settings)
    except duckdb.Error as error:
        raise DamagedWarehouseError(
            f"{settings.warehouse} is damaged and so is its published copy ({error}): remove both "
            f"and run again; everything is loaded anew from the sources"
        ) from error


def _open(settings: Settings) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(settings.warehouse), config=connect_config(settings))
    try:
        connection.execute("set global TimeZone = 'UTC'")
        _probe(connection, settings.warehouse)
    except BaseException:
        connection.close()
        raise
    return connection


def _probe(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Read the catalogue and compare the blocks with the file; opening replayed the log already."""
    connection.execute("select count(*) from duckdb_columns()").fetchall()
    row = connection.execute(
        "select total_blocks * block_size from pragma_database_size()"
    ).fetchone()
    blocks_bytes = int(row[0]) if row else 0
    file_bytes = path.stat().st_size
    if file_bytes < blocks_bytes + _HEADER_BYTES and blocks_bytes > 0:
        raise duckdb.IOException(
            f"Corrupt database file: {path} has {file_bytes} bytes, its blocks need {blocks_bytes}"
        )


def _means_damage(error: duckdb.Error) -> bool:
    text = str(error).lower()
    return isinstance(error, duckdb.InternalException) or any(s in text for s in _SIGNS_OF_DAMAGE)


def _set_aside(settings: Settings, reason: str) -> None:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    for path in (settings.warehouse, _write_ahead_log(settings.warehouse)):
        if path.exists():
            path.rename(path.with_name(f"{path.name}.damaged-{stamp}"))
    copy = settings.published_warehouse
    restored = copy.is_file()
    if restored:
        # By way of a second name: a crash in the middle must not leave half a file as the live one.
        partial = settings.warehouse.with_name(settings.warehouse.name + ".restoring")
        shutil.copyfile(copy, partial)
        partial.replace(settings.warehouse)
    log.warning(
        "the warehouse was damaged (%s); it was set aside as *.damaged-%s and %s",
        reason,
        stamp,
        f"the published copy {copy} took its place" if restored else "an empty one took its place",
    )


def _write_ahead_log(path: Path) -> Path:
    return path.with_name(path.name + ".wal")


def _close(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        # A short log of changes: replaying a long one is where opening after a crash goes wrong.
        connection.execute("checkpoint")
    except duckdb.Error as error:
        log.info("no checkpoint at close: %s", error)
    finally:
        connection.close()
