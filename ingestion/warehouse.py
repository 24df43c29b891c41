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
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from registry.crash_points import crash_point
from registry.errors import TallymanError, WarehouseBusyError
from registry.owned_lock import Timeout, holder, owned_lock, owner_of
from registry.settings import Settings

log = logging.getLogger(__name__)

DEFAULT_LOCK_TIMEOUT_SECONDS = 600.0
_SOMEBODY = "another process"

# What DuckDB says about a file or a log of changes that can't be trusted. All else (a lock, a full
# disk, missing rights) says nothing about the content, and must not set the file aside.
_SIGNS_OF_DAMAGE = (
    "corrupt database",
    "corrupt wal",
    "not a valid duckdb database",
    "does not match stored checksum",
    "could not read enough bytes",
)
# At opening, when only the catalogue and the log of changes are read, these mean damage as well; in
# the middle of a query they may be a fault of the query.
_SIGNS_AT_OPENING = (*_SIGNS_OF_DAMAGE, "replaying wal", "serialization error", "internal error")


class DamagedWarehouseError(TallymanError):
    """The live file is damaged."""


def connect_config(settings: Settings) -> dict[str, Any]:
    """The configuration of every connection to the live file, in any library of this process.

    dbt's profile must pass exactly this as ``config_options`` (and ``TimeZone: UTC`` under
    ``settings``, because DuckDB takes the time zone only after it has connected).
    """
    return {
        "memory_limit": settings.environment.get("TALLYMAN_MEMORY_LIMIT", "2GB"),
        "threads": int(settings.environment.get("TALLYMAN_THREADS", "2")),
        # It squeezes what a query keeps in memory. To plan that for our unions of many selects took
        # as long as to run them, and no query was faster for it.
        "disabled_optimizers": "compressed_materialization",
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
    path = _lock_path(settings)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(
                owned_lock(
                    path, lambda: f"process {os.getpid()} ({purpose})", timeout_seconds, 0.05
                )
            )
        except Timeout:
            raise WarehouseBusyError(
                f"the warehouse {settings.warehouse} is in use by "
                f"{owner_of(path) or _SOMEBODY}: wait for it to end, "
                f"or stop it (waited {timeout_seconds:.0f} s)"
            ) from None
        yield


def lock_owner(settings: Settings) -> str | None:
    """Who holds the warehouse now, for people to read; None when nobody does."""
    owner = holder(_lock_path(settings))
    return None if owner is None else owner or _SOMEBODY


def _lock_path(settings: Settings) -> Path:
    return settings.home / "warehouse.lock"


@contextlib.contextmanager
def warehouse(
    settings: Settings,
    purpose: str = "tallyman",
    timeout_seconds: float = DEFAULT_LOCK_TIMEOUT_SECONDS,
    close_aside: bool = False,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The live warehouse, locked, in UTC; checkpointed and closed at the end.

    ``close_aside``: after much was written, a thread of its own does that (seconds in which nobody
    else can write, but everybody can read); the next one in this process to leave waits for it.

    A damaged file is set aside and the last published copy takes its place, as it does where the
    file is gone; the loads since then come again from the sources, because cursors are read from
    the file itself.
    """
    with warehouse_lock(settings, purpose, timeout_seconds):
        connection = _open_sound(settings, timeout_seconds)
        try:
            yield connection
        except Exception as error:
            if not means_damage(error):
                raise
            connection.close()
            _set_aside(settings, reason=str(error))
            raise DamagedWarehouseError(
                f"{settings.warehouse} turned out to be damaged ({error}) and was set aside: run "
                f"again, what is missing is loaded anew from the sources"
            ) from error
        finally:
            _closing_aside.wait(settings.warehouse)
            if close_aside:
                _closing_aside.begin(settings.warehouse, connection)
            else:
                _close(connection)


def _open_sound(settings: Settings, timeout_seconds: float) -> duckdb.DuckDBPyConnection:
    # Never an empty file where a good copy is: publishing the empty one would push out the good.
    if not settings.warehouse.exists() and settings.published_warehouse.is_file():
        _set_aside(settings, reason="the file is gone")
    try:
        return _open_patiently(settings, timeout_seconds)
    except duckdb.Error as error:
        if not means_damage(error, _SIGNS_AT_OPENING):
            raise
        _set_aside(settings, reason=str(error))
    try:
        return _open_patiently(settings, timeout_seconds)
    except duckdb.Error as error:
        raise DamagedWarehouseError(
            f"{settings.warehouse} is damaged and so is its published copy ({error}): remove both "
            f"and run again; everything is loaded anew from the sources"
        ) from error


def _open_patiently(settings: Settings, timeout_seconds: float) -> duckdb.DuckDBPyConnection:
    """Open the file, waiting for those who opened it without taking our lock."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            return _open(settings)
        except duckdb.IOException as error:
            if "could not set lock" not in str(error).lower():
                raise
            if time.monotonic() >= deadline:
                raise WarehouseBusyError(
                    f"the warehouse {settings.warehouse} is open in another process that did not "
                    f"take warehouse.lock ({error}): close it there, and read the published copy "
                    f"in {settings.published} instead"
                ) from error
        time.sleep(0.1)


def _open(settings: Settings) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(settings.warehouse), config=connect_config(settings))
    try:
        connection.execute("set global TimeZone = 'UTC'")
        # A process that was spawned looks interactive to DuckDB: it would draw over our progress.
        connection.execute("set enable_progress_bar = false")
        # Opening has replayed the log of changes; this reads the catalogue.
        connection.execute("select count(*) from duckdb_columns()").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def means_damage(error: BaseException | None, signs: tuple[str, ...] = _SIGNS_OF_DAMAGE) -> bool:
    """Whether an error, or what caused it (dlt wraps them), speaks of a damaged file."""
    while error is not None:
        if isinstance(error, duckdb.Error) and any(sign in str(error).lower() for sign in signs):
            return True
        error = error.__cause__ or error.__context__
    return False


def damage_told(message: str) -> duckdb.Error | None:
    """DuckDB's error about a damaged file, where a library (dbt, a job of dlt) passes on its words
    alone: raised, or as the cause of what is raised, it has the file set aside."""
    error = duckdb.IOException(message)
    return error if means_damage(error) else None


def _set_aside(settings: Settings, reason: str) -> None:
    """Put the live file aside and the published copy, or nothing, in its place.

    The copy is whole and on the disk before anything is moved: a full disk leaves all as it was,
    and a kill between the two moves leaves no file, which the next to open takes from the copy.
    Raises DamagedWarehouseError.
    """
    copy = settings.published_warehouse
    restoring = _copied(settings, copy, reason) if copy.is_file() else None
    crash_point("ingestion.before_setting_aside")
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    # The log of changes first: beside a copy it would be that of another file.
    for path in (_write_ahead_log(settings.warehouse), settings.warehouse):
        if path.exists():
            path.rename(path.with_name(f"{path.name}.damaged-{stamp}"))
    crash_point("ingestion.after_setting_aside")
    if restoring is not None:
        restoring.replace(settings.warehouse)
    log.warning(
        "the warehouse can't be used (%s); what was there was set aside as *.damaged-%s and %s",
        reason,
        stamp,
        f"the published copy {copy} took its place" if restoring else "an empty one took its place",
    )


def _copied(settings: Settings, copy: Path, reason: str) -> Path:
    """The copy beside the live file, whole and on the disk."""
    restoring = settings.warehouse.with_name(settings.warehouse.name + ".restoring")
    try:
        shutil.copyfile(copy, restoring)
        with restoring.open("rb") as copied:
            os.fsync(copied.fileno())
    except OSError as error:
        restoring.unlink(missing_ok=True)
        raise DamagedWarehouseError(
            f"{settings.warehouse} can't be used ({reason}), and its published copy {copy} could "
            f"not be put in its place ({error}): nothing was changed; make room on the disk, or "
            f"see that {settings.home} can be written, and run again"
        ) from error
    return restoring


def _write_ahead_log(path: Path) -> Path:
    return path.with_name(path.name + ".wal")


def _close(connection: duckdb.DuckDBPyConnection) -> None:
    """Checkpoint and close; harmless when it is closed already."""
    try:
        # A short log of changes: replaying a long one is where opening after a crash goes wrong.
        connection.execute("checkpoint")
    except duckdb.Error as error:
        log.info("no checkpoint at close: %s", error)
    finally:
        connection.close()


class _ClosingAside:
    """The threads that checkpoint and close a file after its writer has left."""

    def __init__(self) -> None:
        self._threads: dict[Path, threading.Thread] = {}

    def begin(self, path: Path, connection: duckdb.DuckDBPyConnection) -> None:
        # No daemon: a process that ends here waits for it. Killed, the log of changes is replayed.
        thread = threading.Thread(target=_close, args=(connection,), name="checkpoint")
        self._threads[path] = thread
        thread.start()

    def wait(self, path: Path) -> None:
        thread = self._threads.pop(path, None)
        if thread is not None:
            thread.join()


_closing_aside = _ClosingAside()
