"""What we wrote to one partner: each document once, under a control number of its own.

A document is stored whole under its key before its file appears, so that repeating it, after a
crash too, gives the same bytes under the same number, and the partner can tell that it has it.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from connectors.deadlines import leave
from registry.crash_points import crash_point

LAST_CONTROL_NUMBER = 999_999_999
_WAIT_SECONDS = 30
# The set and the control number.
_OUR_FILE = re.compile(r"[0-9]{3}-([0-9]{9})\.edi")
_SCHEMA = """
create table if not exists documents (
    key text primary key,
    control_number integer not null unique,
    file text not null unique,
    content blob not null,
    created_at text not null,
    written_at text
)
"""


@dataclass(frozen=True)
class Document:
    """One interchange of ours. ``is_written``: its file has been in the outbound folder."""

    key: str
    control_number: int
    file: str
    content: bytes
    is_written: bool


class Ledger:
    """The documents of one partner, in a SQLite file. Safe for several processes."""

    def __init__(self, path: Path, outbound: Path, first_control_number: int) -> None:
        self._path = path
        self._outbound = outbound
        self._first = first_control_number

    def find(self, key: str) -> Document | None:
        """The document of a key, if one was ever made."""
        if not self._path.is_file():
            return None
        with self._open() as connection:
            return _find(connection, key)

    def origins(self) -> dict[int, str]:
        """Which control number was written for which key."""
        if not self._path.is_file():
            return {}
        with self._open() as connection:
            rows = connection.execute("select control_number, key from documents")
            return dict(rows.fetchall())

    def write(self, key: str, name: str, build: Callable[[int, datetime], bytes]) -> Document:
        """Make the document of a key, or find it, and see that its file was there once.

        ``build`` gets the control number and the present. Raises OSError when the folder can't be
        written or holds another file of that name, sqlite3.Error when the ledger can't, and
        TooLateError when it was held up for too long (connectors.deadlines): then it is found and
        finished another time.
        """
        with self._open() as connection:
            connection.execute("begin immediate")
            document = _find(connection, key)
            if document is None:
                number = self._next_number(connection)
                now = datetime.now(UTC)
                file = f"{name}-{number:09}.edi"
                # Before it has a number: a partner asks for the one that never came.
                leave()
                content = build(number, now)
                connection.execute(
                    "insert into documents values (?, ?, ?, ?, ?, null)",
                    (key, number, file, content, now.isoformat()),
                )
                document = Document(key, number, file, content, False)
            connection.commit()
            crash_point("x12.after_ledger")
            if not document.is_written:
                leave()
                place_file(self._outbound, document.file, document.content)
                crash_point("x12.after_file")
                connection.execute(
                    "update documents set written_at = ? where key = ?",
                    (datetime.now(UTC).isoformat(), key),
                )
                connection.commit()
            return document

    def _next_number(self, connection: sqlite3.Connection) -> int:
        row = connection.execute("select max(control_number) from documents").fetchone()
        # The folder knows the numbers of a ledger that was lost or put back from a copy.
        names = (_OUR_FILE.fullmatch(path.name) for path in self._outbound.rglob("*.edi"))
        last = max((int(name[1]) for name in names if name), default=0)
        number = max(self._first, (row[0] or 0) + 1, last + 1)
        if number > LAST_CONTROL_NUMBER:
            raise OverflowError(
                f"{self._path} has used up all control numbers: agree on a new start with the "
                "partner, set first_control_number in its profile and put the ledger away"
            )
        return number

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(
            sqlite3.connect(self._path, timeout=_WAIT_SECONDS, isolation_level=None)
        ) as connection:
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
            connection.execute(_SCHEMA)
            yield connection


def _find(connection: sqlite3.Connection, key: str) -> Document | None:
    row = connection.execute(
        "select key, control_number, file, content, written_at is not null from documents "
        "where key = ?",
        (key,),
    ).fetchone()
    return Document(row[0], row[1], row[2], row[3], bool(row[4])) if row else None


def place_file(folder: Path, name: str, content: bytes) -> None:
    """Let a file appear whole or not at all; the same one may be there already.

    Raises FileExistsError when one of that name says something else; it is left as it is.
    """
    target = folder / name
    if target.exists():
        _check_same(target, content)
        return
    draft = folder / f".{name}.{os.getpid()}.{threading.get_ident()}.tmp"
    try:
        with draft.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        try:
            # A link, not a rename: of two writers only the first may win.
            os.link(draft, target)
        except FileExistsError:
            _check_same(target, content)
            return
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    finally:
        draft.unlink(missing_ok=True)


def _check_same(target: Path, content: bytes) -> None:
    if target.read_bytes() != content:
        raise FileExistsError(
            f"{target.name} is in {target.parent} already and says something else: move it away "
            "once it is settled with the partner who has used that control number"
        )
