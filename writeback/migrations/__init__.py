"""Versions of the operations store: which one it has, and the steps that bring it up to ours.

To change a table: change ``writeback/tables.py``, and add ``versions/v<number>_<what>.py`` with the
step that makes the same change in a store that exists. A new store is made whole, of the newest
version; ``tests/writeback/test_migrations.py`` holds that both ways lead to the same tables.
"""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry.errors import TallymanError
from writeback.tables import metadata, store_version

HERE = Path(__file__).resolve().parent
FIRST = "0001"
# Alembic works on one database at a time in a process.
_ONE_AT_A_TIME = threading.Lock()


class StoreTooNewError(TallymanError):
    """The store was written by a newer Tallyman; this one would not know what it must keep."""


@cache
def known_versions() -> tuple[str, ...]:
    """All versions that this code knows, the newest last."""
    return tuple(sorted(path.name[1:5] for path in (HERE / "versions").glob("v[0-9]*_*.py")))


def bring_up(connection: Connection) -> None:
    """Give the store the tables of this code, inside the caller's write transaction.

    An empty database gets them all; an older store goes through every step that it has not had, in
    order, and keeps its rows; when one of them fails the store stays as it was. Raises
    StoreTooNewError, and then nothing has changed.
    """
    tables = set(sa.inspect(connection).get_table_names())
    newest = known_versions()[-1]
    if "corrections" not in tables:
        metadata.create_all(connection)
        connection.execute(store_version.insert().values(version_num=newest))
        return
    # Stores of the first version kept no number.
    version = FIRST
    if store_version.name in tables:
        version = connection.execute(sa.select(store_version.c.version_num)).scalar() or FIRST
    if version == newest:
        return
    if version not in known_versions():
        raise StoreTooNewError(
            f"the operations store at {connection.engine.url.render_as_string()} has version "
            f"{version}, and this Tallyman knows versions up to {newest}: use the newer Tallyman "
            f"that wrote it, or a copy of the store from before"
        )
    _upgrade(connection, version)


def _upgrade(connection: Connection, version: str) -> None:
    # Imported only where a store is old: it costs as much as all else that opening a store does.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.attributes["connection"] = connection
    with _ONE_AT_A_TIME:
        if version == FIRST:
            command.stamp(config, FIRST)
        command.upgrade(config, "head")
