"""The SQLAlchemy dialect through which Great Expectations asks DuckDB, on a connection we lend it.

Two properties of duckdb-engine make Great Expectations fail there in every bundled metric, and
both are put right here:

* it fetches a result after its connection went back to the pool, and the pool's rollback discards
  that result. Begin, commit and rollback do nothing here: the gate only reads, and DuckDB then
  runs each statement by itself;
* it opens the file itself, with a configuration of its own, which DuckDB refuses while another
  connection of this process has the same file open, and it would keep the file locked. Here every
  connection is a cursor of one that the caller opened and closes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import duckdb
from duckdb_engine import ConnectionWrapper, Dialect
from sqlalchemy.dialects import registry

_lent: dict[str, duckdb.DuckDBPyConnection] = {}
_numbers = count(1)


class TallymanDialect(Dialect):
    """``duckdb+tallyman:///<name>``: cursors of the connection lent under that name."""

    driver = "tallyman"
    supports_statement_cache = False

    def connect(self, *arguments: Any, **options: Any) -> Any:
        name = options.get("database") or arguments[0]
        return ConnectionWrapper(_lent[name].cursor())

    def do_begin(self, connection: Any) -> None:
        """See the module."""

    def do_commit(self, connection: Any) -> None:
        """See the module."""

    def do_rollback(self, connection: Any) -> None:
        """See the module."""


registry.register("duckdb.tallyman", __name__, TallymanDialect.__name__)


@contextmanager
def lent(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """An SQLAlchemy URL that reaches ``connection`` as long as the block lasts.

    Engines made from the URL must be disposed before the connection is closed: each of their
    connections keeps the file open, and with it DuckDB's lock.
    """
    name = f"lent-{next(_numbers)}"
    _lent[name] = connection
    try:
        yield f"duckdb+tallyman:///{name}"
    finally:
        del _lent[name]
