"""The state folder's database: what must survive a restart, even one by SIGKILL.

One row a version of a document, so the feeds' history is there too. Everything that one request
changes is committed in one transaction, before it is answered.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sandbox.errors import SandboxError
from sandbox.events import Event
from sandbox.tables import to_json

_SCHEMA = """
create table if not exists meta (name text primary key, value text not null);
create table if not exists world_events (
    event_id integer primary key, at real not null, kind text not null, subject text not null,
    data text not null, seen text not null, told text not null
);
create index if not exists world_events_subject on world_events (subject);
create table if not exists scheduled (
    event_id integer not null, system text not null, due real not null, done integer not null,
    primary key (event_id, system)
);
create table if not exists documents (
    system text not null, entity text not null, record_id text not null, sequence integer,
    body text not null
);
create table if not exists truth (fault_id text primary key, body text not null);
create table if not exists ledger (
    seq integer primary key, system text not null, kind text not null, object text not null,
    idempotency_key text, applied_at text not null, before text, after text
);
create table if not exists answers (
    system text not null, key text not null, fingerprint text not null, status integer not null,
    headers text not null, body text not null, primary key (system, key)
);
"""


FORMAT = 3
"""Of the state folder. Another one is not read: worlds are cheap to make again."""


class Store:
    """SQLite in the state folder, for one process. Raises SandboxError if another one has it."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(
            home / "sandbox.sqlite", check_same_thread=False, isolation_level=None, timeout=1.0
        )
        try:
            # A killed process loses nothing that was committed; a killed machine may lose the last.
            self._db.execute("pragma locking_mode = exclusive")
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = normal")
            self._db.executescript(_SCHEMA)
            if self.get("format") is None:
                self.set("format", FORMAT)
        except sqlite3.OperationalError as error:
            self._db.close()
            raise SandboxError(
                f"the state folder {home} is in use ({error}); stop the other sandbox or choose"
                " another folder"
            ) from None
        if self.get("format") != FORMAT:
            self._db.close()
            raise SandboxError(f"the state folder {home} is of another version; remove it")

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    def begin(self) -> None:
        """Start the transaction of a request, if none is open."""
        if not self._db.in_transaction:
            self._db.execute("begin immediate")

    def commit(self) -> None:
        """End it, if one is open."""
        if self._db.in_transaction:
            self._db.execute("commit")

    def get(self, name: str) -> Any:
        """A remembered value, or None."""
        row = self._db.execute("select value from meta where name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def set(self, name: str, value: Any) -> None:
        """Remember a value."""
        self._db.execute("insert or replace into meta values (?, ?)", (name, to_json(value)))

    def add_events(self, events: Iterable[Event]) -> int:
        """Append to the world's history; returns the id of the first."""
        first: int = self._db.execute(
            "select coalesce(max(event_id), 0) + 1 from world_events"
        ).fetchone()[0]
        self._db.executemany(
            "insert into world_events values (?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    event_id,
                    event.at,
                    event.kind,
                    event.subject,
                    to_json(event.data),
                    to_json(event.seen),
                    to_json(event.told) if event.told else "{}",
                )
                for event_id, event in enumerate(events, start=first)
            ),
        )
        return first

    def events_of(self, subject: str) -> list[Event]:
        """What happened, and will happen, to one subject, in order of time."""
        rows = self._db.execute(
            "select at, kind, subject, data, seen, told from world_events where subject = ?"
            " order by at, event_id",
            (subject,),
        )
        return [_event(*row) for row in rows]

    def events_after(self, event_id: int, kinds: tuple[str, ...]) -> list[tuple[int, Event]]:
        """Events of some kinds that were stored after one, with their ids, as stored."""
        rows = self._db.execute(
            "select event_id, at, kind, subject, data, seen, told from world_events"
            f" where event_id > ? and kind in ({','.join('?' * len(kinds))}) order by event_id",
            (event_id, *kinds),
        )
        return [(found, _event(*row)) for found, *row in rows]

    def schedule(self, rows: Iterable[tuple[int, str, float]]) -> None:
        """Remember that a system hears of an event at a later moment."""
        self._db.executemany("insert into scheduled values (?, ?, ?, 0)", rows)

    def mark_heard(self, event_id: int, system: str) -> None:
        """A scheduled event has been heard."""
        self._db.execute(
            "update scheduled set done = 1 where event_id = ? and system = ?", (event_id, system)
        )

    def scheduled(self) -> list[tuple[float, int, str, Event]]:
        """What is still to be heard: (due, event id, system, event)."""
        rows = self._db.execute(
            "select due, event_id, system, at, kind, subject, data, seen, told"
            " from scheduled join world_events using (event_id) where not done"
        )
        return [(due, event_id, system, _event(*row)) for due, event_id, system, *row in rows]

    def add_documents(self, rows: Iterable[tuple[str, str, str, int | None, str]]) -> None:
        """Append versions: (system, entity, record id, sequence, text)."""
        self._db.executemany("insert into documents values (?, ?, ?, ?, ?)", rows)

    def documents(self) -> Iterable[tuple[str, str, str, int | None, str]]:
        """All versions, oldest first."""
        return self._db.execute(
            "select system, entity, record_id, sequence, body from documents order by rowid"
        )

    def add_truths(self, rows: Iterable[dict[str, Any]]) -> None:
        """Append truth rows."""
        self._db.executemany(
            "insert into truth values (?, ?)", ((row["fault_id"], to_json(row)) for row in rows)
        )

    def truths(self) -> list[str]:
        """Truth rows as JSON texts."""
        return [row[0] for row in self._db.execute("select body from truth order by rowid")]

    def add_effect(
        self,
        system: str,
        kind: str,
        name: str,
        key: str | None,
        applied_at: str,
        before: Any,
        after: Any,
    ) -> None:
        """Append a write that was really applied."""
        self._db.execute(
            "insert into ledger (system, kind, object, idempotency_key, applied_at, before, after)"
            " values (?, ?, ?, ?, ?, ?, ?)",
            (system, kind, name, key, applied_at, to_json(before), to_json(after)),
        )

    def effects(self) -> list[dict[str, Any]]:
        """The ledger, oldest first."""
        rows = self._db.execute(
            "select seq, system, kind, object, idempotency_key, applied_at, before, after"
            " from ledger order by seq"
        )
        names = ("seq", "system", "kind", "object", "idempotency_key", "applied_at")
        return [
            dict(zip(names, row[:6], strict=True))
            | {"before": json.loads(row[6]), "after": json.loads(row[7])}
            for row in rows
        ]

    def answer(self, system: str, key: str) -> tuple[str, int, dict[str, str], str] | None:
        """The first answer under an idempotency key: (fingerprint, status, headers, body)."""
        row = self._db.execute(
            "select fingerprint, status, headers, body from answers where system = ? and key = ?",
            (system, key),
        ).fetchone()
        return None if row is None else (row[0], row[1], json.loads(row[2]), row[3])

    def remember_answer(
        self,
        system: str,
        key: str,
        fingerprint: str,
        status: int,
        headers: dict[str, str],
        body: str,
    ) -> None:
        """Keep the first answer under an idempotency key."""
        self._db.execute(
            "insert into answers values (?, ?, ?, ?, ?, ?)",
            (system, key, fingerprint, status, to_json(headers), body),
        )


def _event(at: float, kind: str, subject: str, data: str, seen: str, told: str) -> Event:
    """A row of ``world_events`` as the event that it was."""
    return Event(at, kind, subject, json.loads(data), json.loads(seen), json.loads(told))
