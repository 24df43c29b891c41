"""Dagster's event log in SQLite, with its connections kept open over the passes of a process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Self

import sqlalchemy as sa
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy.pool import StaticPool

KEPT_SHARDS = 4  # the index, the run of a pass, the run of its delivery, and the one before


def _sync_seldom(connection: Any, _record: Any) -> None:
    """Sync the file every 40 MB of changes, and not at each of the 2,000 commits of a pass.

    With a log written ahead (Dagster's setting) a killed process loses nothing by this, and a
    machine without power only the end of a history that people read. Each sync waited for what
    the warehouse was writing at the time: three seconds of a pass.
    """
    connection.execute("pragma synchronous = normal")
    connection.execute("pragma wal_autocheckpoint = 10000")


class KeptSqliteEventLogStorage(SqliteEventLogStorage):
    """The same files as Dagster's own storage, which the UI reads them with.

    Dagster makes an engine and opens a file anew for each of the 500 events of a pass, which took
    two of its seconds. All access is under one lock there, so that one connection a file will do.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, sa.Engine] = OrderedDict()
        self._batch: dict[str, sa.Connection] = {}
        super().__init__(base_dir, inst_data)
        # A batch holds it over all its events.
        self._db_lock = threading.RLock()  # type: ignore[assignment]

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        with self._db_lock:
            if shard in self._batch:
                yield self._batch[shard]
                return
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """All events of a batch in one transaction a file, not one each."""
        with self._db_lock, ExitStack() as transactions:
            transactions.callback(self._batch.clear)
            for shard in (INDEX_SHARD_NAME, *{event.run_id for event in events}):
                self._batch[shard] = transactions.enter_context(self._connect(shard))
            for event in events:
                self.store_event(event)

    def _engine(self, shard: str) -> sa.Engine:
        if shard not in self._engines:
            engine = create_engine(
                self.conn_string_for_shard(shard),
                poolclass=StaticPool,
                connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
            )
            sa.event.listen(engine, "connect", _sync_seldom)
            self._engines[shard] = engine
        self._engines.move_to_end(shard)
        while len(self._engines) > KEPT_SHARDS:
            self._engines.popitem(last=False)[1].dispose()
        return self._engines[shard]

    def close_shard(self, shard: str) -> None:
        """Close a file that is going to be removed; asked for again, it is made anew."""
        with self._db_lock:
            self._initialized_dbs.discard(shard)
            engine = self._engines.pop(shard, None)
            if engine is not None:
                engine.dispose()

    def dispose(self) -> None:
        """Close what is kept, then what Dagster keeps."""
        while self._engines:
            self._engines.popitem()[1].dispose()
        super().dispose()
