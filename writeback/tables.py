"""The tables of the operations store, and nothing else: columns, indexes, append-only triggers."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from writeback.canonical import canonical_json, parse_json
from writeback.states import IN_FLIGHT


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time. SQLite keeps it as fixed-width text, which sorts like the time itself."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone; the operations store keeps UTC")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class ExactDecimal(TypeDecorator[Decimal]):
    """A decimal kept as text, because SQLite would make it a float."""

    impl = String(40)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        return None if value is None else format(value, "f")

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class CanonicalJson(TypeDecorator[Any]):
    """A value kept as its canonical JSON text, the very text that was hashed."""

    impl = Text()
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else canonical_json(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else parse_json(value)


class Told(TypeDecorator[str]):
    """Words of others, with what no store keeps replaced and what is too long cut off: PostgreSQL
    takes no NUL, UTF-8 no half of a character. One such answer of a target ended the delivery of
    all corrections, each time anew."""

    impl = Text()
    cache_ok = True

    def __init__(self, length: int | None = None) -> None:
        super().__init__()
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(String(self.length) if self.length else Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")[: self.length]


metadata = MetaData()

# BIGINT would lose SQLite's automatic numbering; Integer is 64 bits there and enough elsewhere.
corrections = Table(
    "corrections",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    # Identity. A generation is one attempt to bring about one proposal; its key never changes.
    Column("correction_key", String(200), nullable=False, unique=True),
    Column("proposal_key", String(180), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("idempotency_key", String(80), nullable=False, unique=True),
    # What and why.
    Column("rule_id", String(40), nullable=False),
    Column("obligation_ids", CanonicalJson, nullable=False),
    Column("object_type", String(60)),
    Column("object_id", String(200), nullable=False),
    Column("order_id", String(200)),
    Column("order_line_id", String(200)),
    Column("target_system", String(60), nullable=False),
    Column("target_role", String(40)),
    Column("kind", String(60), nullable=False),
    Column("old_value", CanonicalJson),
    Column("new_value", CanonicalJson),
    Column("payload", CanonicalJson, nullable=False),
    Column("preconditions", CanonicalJson, nullable=False),
    Column("payload_hash", String(64), nullable=False),
    Column("relied_on_systems", CanonicalJson, nullable=False),
    Column("value_at_risk", ExactDecimal),
    Column("currency", String(3)),
    Column("first_sighting_at", UtcDateTime),
    Column("frontier_at", UtcDateTime),
    # A person's part.
    Column("needs_approval", Boolean, nullable=False),
    Column("conflict", Boolean, nullable=False),
    Column("hold_codes", CanonicalJson, nullable=False),
    Column("approved_hash", String(64)),
    Column("approved_until", UtcDateTime),
    # Where it stands.
    Column("state", String(20), nullable=False),
    Column("state_reason", Told, nullable=False),
    Column("lease_token", String(40)),
    Column("lease_until", UtcDateTime),
    Column("next_attempt_at", UtcDateTime),
    Column("attempts", Integer, nullable=False),
    Column("possibly_sent", Boolean, nullable=False),
    Column("dry_run_at", UtcDateTime),
    Column("target_record_id", Told(200)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("accepted_at", UtcDateTime),
    Column("verified_at", UtcDateTime),
    Column("withdrawn_at", UtcDateTime),
    UniqueConstraint("proposal_key", "generation", name="uq_corrections_generation"),
)
_in_flight = ", ".join(f"'{state.value}'" for state in sorted(IN_FLIGHT))
# The lease query walks this index in order and stops at its limit.
Index(
    "ix_corrections_due",
    corrections.c.target_system,
    corrections.c.state,
    corrections.c.next_attempt_at,
    corrections.c.sequence,
)
Index("ix_corrections_object", corrections.c.object_id, corrections.c.state)
Index("ix_corrections_state", corrections.c.state, corrections.c.updated_at)
Index("ix_corrections_updated", corrections.c.updated_at)
Index("ix_corrections_accepted", corrections.c.accepted_at)
Index(
    "uq_corrections_one_in_flight",
    corrections.c.object_id,
    unique=True,
    sqlite_where=text(f"state in ({_in_flight})"),
    postgresql_where=text(f"state in ({_in_flight})"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("attempt_id", Integer, primary_key=True, autoincrement=True),
    Column("correction_key", String(200), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("phase", String(20), nullable=False),  # send | read | check | dry_run | lease | undo
    Column("result", String(20), nullable=False),
    Column("code", Told(80), nullable=False),
    Column("message", Told, nullable=False),
    Column("response", Told, nullable=False),
    Column("idempotency_key", String(80), nullable=False),
    Column("payload_hash", String(64), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("decision_id", String(240), nullable=False, unique=True),
    Column("correction_key", String(200), nullable=False, index=True),
    Column("actor", String(200), nullable=False),
    Column("decision", String(40), nullable=False),
    Column("comment", Text, nullable=False),
    Column("payload_hash", String(64)),
    Column("decided_at", UtcDateTime, nullable=False, index=True),
)

gates = Table(
    "gates",
    metadata,
    Column("gate_id", Integer, primary_key=True, autoincrement=True),
    Column("build", String(120), nullable=False),
    Column("system", String(60), nullable=False),
    Column("outcome", String(20), nullable=False),  # passed | pending | failed | crashed
    Column("reason", Text, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
)
Index("ix_gates_system", gates.c.system, gates.c.gate_id)

kill_switch = Table(
    "kill_switch",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("engaged", Boolean, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)

pauses = Table(
    "pauses",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("target_system", String(60), nullable=False, index=True),
    Column("engaged", Boolean, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)

# Numbered by us: a gap is a removed entry. The previous hash is unique, so that no chain forks.
audit = Table(
    "audit",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("action", String(40), nullable=False),
    Column("subject", String(240), nullable=False),
    Column("detail", CanonicalJson, nullable=False),
    Column("previous_hash", String(64), nullable=False, unique=True),
    Column("entry_hash", String(64), nullable=False),
)

breakers = Table(
    "breakers",
    metadata,
    Column("system", String(60), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("open_until", UtcDateTime),
    # When all that may be asked at once may be asked again, by what all processes asked.
    Column("allowance_full_at", UtcDateTime),
)

# Which version of the tables this is: one row (writeback/migrations).
store_version = Table(
    "store_version",
    metadata,
    Column("version_num", String(32), primary_key=True),
)

_APPEND_ONLY = {
    "sqlite": "create trigger {table}_no_{verb} before {verb} on {table} "
    "begin select raise(abort, '{table} is append-only'); end",
    "postgresql": "create trigger {table}_no_{verb} before {verb} on {table} "
    "for each row execute function tallyman_append_only()",
}
_REFUSAL = (
    "create or replace function tallyman_append_only() returns trigger language plpgsql as "
    "$body$ begin raise integrity_constraint_violation "
    "using message = tg_table_name || ' is append-only'; end $body$"
)


def append_only(connection: Connection, table: str) -> None:
    """What happened can't be edited afterwards, not even by us."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_REFUSAL)
    for verb in ("update", "delete"):
        trigger = _APPEND_ONLY[connection.dialect.name]
        connection.exec_driver_sql(trigger.format(table=table, verb=verb))


@event.listens_for(metadata, "after_create")
def _protect(_metadata: MetaData, connection: Connection, tables: Any, **_options: Any) -> None:
    for table in (attempts, decisions, gates, kill_switch, pauses, audit):
        if table in tables:
            append_only(connection, table.name)
