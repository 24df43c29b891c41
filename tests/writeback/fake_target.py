"""A target and a source over one SQLite file, with a ledger of every effect that really happened.

The file makes the pretend system survive the death of the process that talks to it, and lets
several processes talk to it at once. It imports nothing of the engine.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.base import (
    CorrectionRequest,
    Outcome,
    Page,
    Record,
    Result,
    SourceError,
    TargetState,
)
from registry.systems import System

SCHEMA = """
create table if not exists line (record text primary key, quantity text not null);
create table if not exists invoice (
    number integer primary key autoincrement, document text, origin text, live integer);
create table if not exists effect (
    seq integer primary key autoincrement, key text, record text, before text, after text);
create table if not exists request (seq integer primary key autoincrement, key text);
create table if not exists fault (seq integer primary key autoincrement, name text);
"""


def system(name: str = "erp", write_mode: str = "on") -> System:
    return System(name=name, role="erp", connector="fake", write_mode=write_mode)


class World:
    """What the pretend system holds. ``honours_keys``: whether it applies a key only once."""

    def __init__(self, path: Path, honours_keys: bool = True) -> None:
        self.path = path
        self.honours_keys = honours_keys
        with self.transaction() as connection:
            for statement in SCHEMA.split(";"):
                connection.execute(statement)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        try:
            connection.execute("begin immediate")
            yield connection
            connection.execute("commit")
        finally:
            connection.close()

    def set_line(self, record: str, quantity: Any) -> None:
        with self.transaction() as connection:
            connection.execute("replace into line values (?, ?)", (record, str(quantity)))

    def line(self, record: str) -> Decimal | None:
        with self.transaction() as connection:
            row = connection.execute(
                "select quantity from line where record = ?", (record,)
            ).fetchone()
        return None if row is None else Decimal(row[0])

    def inject(self, *names: str) -> None:
        """Faults of the next sends, in this order."""
        with self.transaction() as connection:
            connection.executemany("insert into fault (name) values (?)", [(n,) for n in names])

    def effects(self) -> list[tuple[str, str, str, str]]:
        """(key, record, before, after) of everything that really happened."""
        with self.transaction() as connection:
            return list(
                connection.execute("select key, record, before, after from effect order by seq")
            )

    def requests(self) -> list[str]:
        """Keys of all requests that arrived."""
        with self.transaction() as connection:
            return [row[0] for row in connection.execute("select key from request order by seq")]

    def invoices(self, document: str) -> list[tuple[int, str]]:
        with self.transaction() as connection:
            return list(
                connection.execute(
                    "select number, origin from invoice where document = ? and live = 1",
                    (document,),
                )
            )

    def apply(self, request: CorrectionRequest, undo: bool = False) -> Outcome:
        """One request arriving at the system; faults decide what the sender gets to know."""
        with self.transaction() as connection:
            row = connection.execute("select seq, name from fault order by seq limit 1").fetchone()
            fault = row[1] if row else None
            if row:
                connection.execute("delete from fault where seq = ?", (row[0],))
            early = BEFORE_EFFECT.get(fault or "")
            if fault == "lost_request":
                return Outcome(Result.UNKNOWN, "no_answer", "lost on the way there")
            connection.execute("insert into request (key) values (?)", (_key(request, undo),))
            if early is not None:
                connection.execute("commit")
                connection.execute("begin")
                return early
            outcome = self._effect(connection, request, undo)
        if fault == "timeout_after_effect":
            time.sleep(0.05)
        if fault in ("lost_response", "timeout_after_effect"):
            return Outcome(Result.UNKNOWN, "no_answer", "lost on the way back")
        if fault == "exception_after_effect":
            raise RuntimeError("a connector that breaks its promise")
        return DENIED_AFTER_EFFECT.get(fault or "", outcome)

    def _effect(
        self, connection: sqlite3.Connection, request: CorrectionRequest, undo: bool
    ) -> Outcome:
        key = _key(request, undo)
        seen = connection.execute("select 1 from effect where key = ?", (key,)).fetchone()
        if seen and self.honours_keys:
            return Outcome(Result.OK, "http_200", "replayed")
        payload = request.payload
        if request.kind == "create_invoice":
            return self._invoice(connection, request, key, undo)
        record = f"{payload['order_record']}/{payload['line_record']}"
        held = connection.execute(
            "select quantity from line where record = ?", (record,)
        ).fetchone()
        old, new = payload["old_quantity"], payload["quantity"]
        expected, wanted = (new, old) if undo else (old, new)
        if held is None or Decimal(held[0]) != Decimal(str(expected)):
            return Outcome(Result.REFUSED, "version_conflict", f"holds {held}")
        connection.execute("update line set quantity = ? where record = ?", (str(wanted), record))
        connection.execute(
            "insert into effect (key, record, before, after) values (?, ?, ?, ?)",
            (key, record, held[0], str(wanted)),
        )
        return Outcome(Result.OK, "http_200", target_record_id=record)

    def _invoice(
        self, connection: sqlite3.Connection, request: CorrectionRequest, key: str, undo: bool
    ) -> Outcome:
        document = request.payload["document"]
        if undo:
            connection.execute("update invoice set live = 0 where document = ?", (document,))
            number = "void"
        else:
            number = str(
                connection.execute(
                    "insert into invoice (document, origin, live) values (?, ?, 1)",
                    (document, key),
                ).lastrowid
            )
        connection.execute(
            "insert into effect (key, record, before, after) values (?, ?, ?, ?)",
            (key, document, "", number),
        )
        return Outcome(Result.OK, "http_201", target_record_id=number)


BEFORE_EFFECT = {
    "status_429": Outcome(Result.RETRY, "rate_limited", retry_after_seconds=7),
    "status_503": Outcome(Result.RETRY, "unavailable"),
    "unreachable": Outcome(Result.RETRY, "unreachable"),
    "status_422": Outcome(Result.REFUSED, "http_422", "credit limit"),
    "status_401": Outcome(Result.REFUSED, "unauthorised", "who are you?"),
    "status_412": Outcome(Result.REFUSED, "version_conflict", "stale"),
    "status_500": Outcome(Result.UNKNOWN, "http_500"),
    "lying_ok": Outcome(Result.OK, "http_200", "not true"),
}


DENIED_AFTER_EFFECT = {
    f"{name}_after_effect": replace(BEFORE_EFFECT[name], perhaps_applied=True)
    for name in ("status_429", "status_503")
}


def _key(request: CorrectionRequest, undo: bool) -> str:
    return request.idempotency_key + ("-undo" if undo else "")


class FakeTarget:
    """``on_apply`` is called right before each send, and ``on_undo`` before each undo, for races
    that a test wants to stage."""

    kinds = frozenset({"update_quantity", "create_invoice"})

    def __init__(
        self,
        world: World,
        configured: System | None = None,
        on_apply: Callable[[CorrectionRequest], None] | None = None,
    ) -> None:
        self.world = world
        self.system = configured or system()
        self.on_apply = on_apply
        self.on_undo: Callable[[], None] | None = None
        self.reads = 0
        self.unreadable = False

    def apply(self, request: CorrectionRequest) -> Outcome:
        if self.on_apply:
            self.on_apply(request)
        return self.world.apply(request)

    def read(self, request: CorrectionRequest) -> TargetState:
        self.reads += 1
        if self.unreadable:
            raise SourceError("unreachable", "the target can't be read")
        payload = request.payload
        if request.kind == "create_invoice":
            found = self.world.invoices(payload["document"])
            own = [number for number, origin in found if origin == request.idempotency_key]
            return TargetState(
                applied=bool(found),
                precondition_met=not found,
                applied_by_key=bool(own) if found else None,
                target_record_id=str(own[0]) if own else None,
            )
        record = f"{payload['order_record']}/{payload['line_record']}"
        held = self.world.line(record)
        return TargetState(
            applied=held == Decimal(str(payload["quantity"])),
            precondition_met=held == Decimal(str(payload["old_quantity"])),
            target_record_id=record,
            observed={"quantity": str(held)},
        )

    def undo(self, request: CorrectionRequest, target_record_id: str | None) -> Outcome:
        if self.on_undo:
            self.on_undo()
        return self.world.apply(request, undo=True)


class FakeSource:
    """Lines as ``sales_order_lines`` and invoices as ``invoice_lines``."""

    entities = ("sales_order_lines", "invoice_lines")

    def __init__(self, world: World, configured: System | None = None) -> None:
        self.world = world
        self.system = configured or system()
        self.unreadable = False

    def pages(self, entity: str, cursor: str | None) -> Iterator[Page]:
        return iter(())

    def read_one(self, entity: str, key: Mapping[str, str]) -> list[Record]:
        if self.unreadable:
            raise SourceError("timeout", "the source does not answer")
        if entity == "invoice_lines" and set(key) == {"ship_ref"}:
            return [
                self._record({"inv_no": str(number), "ship_ref": key["ship_ref"]})
                for number, _ in self.world.invoices(key["ship_ref"])
            ]
        if entity == "sales_order_lines" and set(key) == {"doc_no"}:
            with self.world.transaction() as connection:
                rows = connection.execute(
                    "select record, quantity from line where record like ?", (f"{key['doc_no']}/%",)
                ).fetchall()
            return [
                self._record({"doc_no": key["doc_no"], "pos": r.split("/")[1], "ord_qty": quantity})
                for r, quantity in rows
            ]
        raise SourceError("unknown_key", f"no look-up of {entity} by {sorted(key)}")

    def _record(self, fields: dict[str, Any]) -> Record:
        return Record(record_id=json.dumps(fields), fields=fields, raw=json.dumps(fields))


class ManualClock:
    """A clock that moves only when it is told to; ``set`` sets the time of day only."""

    def __init__(self, start: datetime | None = None) -> None:
        self.time = start or datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
        self.passed = 0.0

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.passed

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self.passed += seconds

    def set(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
