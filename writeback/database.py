"""One database behind a URL: engine, transactions and errors. No table is named here."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event as sa_event
from sqlalchemy.engine import Connection, Engine, make_url

from registry.errors import TallymanError, cause_of
from writeback.clock import Clock, SystemClock
from writeback.migrations import bring_up

Result = TypeVar("Result")
# SQLite allows 32,766 variables in a statement; smaller chunks plan faster.
CHUNK = 500
# The advisory lock of writers on PostgreSQL: any number that no other program of the database uses.
ONE_WRITER = 7_146_258_091


class UnknownCorrectionError(TallymanError):
    """No correction has this key."""


class StoreUnreachableError(TallymanError):
    """The operations store can't be opened."""

    exit_code = 3


class LeaseLostError(TallymanError):
    """The lease ran out and someone else has the correction: what was learnt is not written."""


class Database:
    """Transactions on the operations store; ``OperationsStore`` is what others use.

    SQLite (default) runs in WAL mode with ``synchronous=FULL``: a commit is on disk when it
    returns. Writers queue for ``busy_timeout_seconds``. On PostgreSQL writers queue too, for an
    advisory lock that ends with the transaction, so that read-then-write is as safe there.
    Opening raises StoreUnreachableError.
    """

    def __init__(
        self, url: str, clock: Clock | None = None, busy_timeout_seconds: float = 30
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self._queue = WriterQueue()
        try:
            self.engine = _make_engine(url, busy_timeout_seconds)
            self._reading = _READING.get(self.engine.dialect.name, {})
            with self.write() as connection:
                bring_up(connection)
        except (sa.exc.ArgumentError, sa.exc.DBAPIError, sqlite3.Error, ImportError) as error:
            raise StoreUnreachableError(
                f"the operations store {_without_password(url)} can't be opened: "
                f"{cause_of(error)}. Check TALLYMAN_OPERATIONS_URL, that its server is up, that "
                "the disk has room and that no other program holds it"
            ) from error

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that takes the write lock at once, so that read-then-write is safe."""
        writing = self.engine.connect().execution_options(tallyman_writes=True)
        with self._queue.writer, writing as connection, connection.begin():
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one moment and changes nothing."""
        reading = self.engine.connect().execution_options(**self._reading)
        with reading as connection, connection.begin():
            yield connection

    def write_together(self, step: Callable[[Connection], Result]) -> Result:
        """Run a step in a write transaction that it may share with steps of other threads.

        It returns when the step is on disk: threads that write at the same time wait for one flush
        and not each for its own. A step that raises undoes itself and no other.
        """
        mine = _Step(step)
        queue = self._queue
        with queue.lock:
            queue.waiting.append(mine)
        with queue.leader:
            if not mine.is_done:
                with queue.lock:
                    steps, queue.waiting = queue.waiting, []
                self._write_all(steps)
        if mine.error is not None:
            raise mine.error
        result: Result = mine.result
        return result

    def _write_all(self, steps: Sequence[_Step]) -> None:
        try:
            with self.write() as connection:
                if len(steps) == 1:
                    steps[0].result = steps[0].work(connection)
                else:
                    for step in steps:
                        step.run(connection)
        except BaseException as error:
            # Nothing of it is on disk, not even what had succeeded.
            for step in steps:
                step.error = step.error or error
        for step in steps:
            step.is_done = True


class WriterQueue:
    """Who writes next, among the threads of this process. SQLite's own queue sleeps between looks.

    ``leader`` writes all that ``waiting`` holds (guarded by ``lock``), for whoever put it there.
    """

    def __init__(self) -> None:
        self.writer = threading.Lock()
        self.leader = threading.Lock()
        self.lock = threading.Lock()
        self.waiting: list[_Step] = []


class _Step:
    """A part of a shared transaction, with what came of it."""

    def __init__(self, work: Callable[[Connection], Any]) -> None:
        self.work = work
        self.is_done = False
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self, connection: Connection) -> None:
        """Beside others: what it raises is its own."""
        try:
            with connection.begin_nested():
                self.result = self.work(connection)
        except Exception as error:
            self.error = error


# SQLite sees one moment in any transaction; PostgreSQL must be asked to.
_READING: dict[str, dict[str, Any]] = {"postgresql": {"isolation_level": "REPEATABLE READ"}}


def _postgresql(url: sa.URL) -> Engine:
    """The driver is psycopg, unless the URL names another."""
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, pool_pre_ping=True)

    @sa_event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get("tallyman_writes", False):
            connection.exec_driver_sql(f"select pg_advisory_xact_lock({ONE_WRITER})")

    return engine


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except sa.exc.ArgumentError:
        return "of TALLYMAN_OPERATIONS_URL"


def chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """Keys in portions that fit a statement."""
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]


def _make_engine(url: str, busy_timeout_seconds: float) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return _postgresql(parsed)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    connect_args = {"timeout": busy_timeout_seconds, "check_same_thread": False}
    # A store in memory is its one connection.
    pool = None if parsed.database else sa.StaticPool
    engine = sa.create_engine(parsed, connect_args=connect_args, poolclass=pool)

    @sa_event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # The driver's own transaction handling would begin late and without the write lock.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"pragma busy_timeout = {int(busy_timeout_seconds * 1000)}")
        cursor.execute("pragma journal_mode = wal")
        cursor.execute("pragma synchronous = full")
        cursor.close()

    @sa_event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("tallyman_writes", False)
        # Past SQLAlchemy, which would spend more on it than SQLite does; it begins every look.
        driver: Any = connection.connection.driver_connection
        driver.execute("begin immediate" if writes else "begin")

    return engine
