"""Pauses of single targets, and the chained log of decisions; earlier decisions go into it.

Some stores of version 0001 have one or both tables: they were made without a number when missing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.engine import Connection

from writeback.canonical import canonical_value, digest
from writeback.tables import CanonicalJson, UtcDateTime, append_only

revision = "0002"
down_revision = "0001"

GENESIS = "0" * 64


def upgrade() -> None:
    """Make the two tables where they are missing, and enter the decisions that are in no log."""
    connection = op.get_bind()
    present = set(sa.inspect(connection).get_table_names())
    if "pauses" not in present:
        op.create_table(
            "pauses",
            sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
            sa.Column("target_system", sa.String(60), nullable=False),
            sa.Column("engaged", sa.Boolean, nullable=False),
            sa.Column("actor", sa.String(200), nullable=False),
            sa.Column("reason", sa.Text, nullable=False),
            sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        )
        op.create_index("ix_pauses_target_system", "pauses", ["target_system"])
        append_only(connection, "pauses")
    if "audit" not in present:
        op.create_table(
            "audit",
            sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("at", sa.DateTime(timezone=True), nullable=False),
            sa.Column("actor", sa.String(200), nullable=False),
            sa.Column("action", sa.String(40), nullable=False),
            sa.Column("subject", sa.String(240), nullable=False),
            sa.Column("detail", sa.Text, nullable=False),
            sa.Column("previous_hash", sa.String(64), nullable=False, unique=True),
            sa.Column("entry_hash", sa.String(64), nullable=False),
        )
        append_only(connection, "audit")
    _enter_earlier_decisions(connection)


# As they were at this version.
_AUDIT = sa.table(
    "audit",
    sa.column("sequence", sa.Integer),
    sa.column("at", UtcDateTime),
    sa.column("actor"),
    sa.column("action"),
    sa.column("subject"),
    sa.column("detail", CanonicalJson),
    sa.column("previous_hash"),
    sa.column("entry_hash"),
)
_DECISIONS = sa.table(
    "decisions",
    sa.column("sequence", sa.Integer),
    sa.column("decision_id"),
    sa.column("correction_key"),
    sa.column("actor"),
    sa.column("decision"),
    sa.column("comment"),
    sa.column("payload_hash"),
    sa.column("decided_at", UtcDateTime),
)


def _enter_earlier_decisions(connection: Connection) -> None:
    """A decision without an entry would make the whole log count as forged."""
    entries = connection.execute(sa.select(_AUDIT).order_by(_AUDIT.c.sequence)).all()
    entered = {entry.detail.get("decision_id") for entry in entries}
    sequence = entries[-1].sequence if entries else 0
    previous = entries[-1].entry_hash if entries else GENESIS
    decisions = connection.execute(sa.select(_DECISIONS).order_by(_DECISIONS.c.sequence)).all()
    for decision in decisions:
        if decision.decision_id in entered:
            continue
        sequence += 1
        detail = {
            "comment": decision.comment,
            "decision_id": decision.decision_id,
            "payload_hash": decision.payload_hash,
            "entered_by": "version 0002",
        }
        entry = {
            "sequence": sequence,
            "at": decision.decided_at,
            "actor": decision.actor,
            "action": decision.decision,
            "subject": decision.correction_key,
            "detail": canonical_value(detail),
            "previous_hash": previous,
        }
        previous = digest(entry)
        connection.execute(sa.insert(_AUDIT), {**entry, "entry_hash": previous})
