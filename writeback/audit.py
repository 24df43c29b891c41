"""The audit log: every decision of a person, each entry chained to the one before by its hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from writeback import tables as t
from writeback.canonical import digest
from writeback.database import Database

GENESIS = "0" * 64
_HEAD = (
    sa.select(t.audit.c.sequence, t.audit.c.entry_hash)
    .order_by(t.audit.c.sequence.desc())
    .limit(1)
    .with_for_update()
)
_NEW_ENTRY = sa.insert(t.audit)


@dataclass(frozen=True)
class AuditReport:
    """``entries`` checked from the first on; ``problem``: where the chain breaks, or None.
    ``head``: hash of the last one. Whoever keeps it elsewhere can tell later that nothing was cut
    off at the end.
    """

    entries: int
    problem: str | None
    head: str = GENESIS


class Audit(Database):
    """Decisions, switches and pauses go through here, in the transaction that they belong to."""

    def log_audit(
        self,
        connection: Connection,
        actor: str,
        action: str,
        subject: str,
        detail: Mapping[str, Any],
        now: datetime,
    ) -> None:
        """Append an entry. ``subject``: a correction key, a target, or ``*`` for everything."""
        head = connection.execute(_HEAD).one_or_none()
        sequence, previous = (0, GENESIS) if head is None else (head.sequence, head.entry_hash)
        entry = {
            "sequence": sequence + 1,
            "at": now,
            "actor": actor,
            "action": action,
            "subject": subject,
            "detail": dict(detail),
            "previous_hash": previous,
        }
        connection.execute(_NEW_ENTRY, {**entry, "entry_hash": digest(entry)})

    def verify_audit(self, known_head: str = GENESIS) -> AuditReport:
        """Recompute the chain: an entry that was changed, removed or put in breaks it, and so does
        a decision without its entry, or that ``known_head``, once its last entry, is not in it."""
        previous, count = GENESIS, 0
        is_known = known_head == GENESIS
        decided = 0
        with self.read() as connection:
            for row in connection.execute(sa.select(t.audit).order_by(t.audit.c.sequence)):
                entry = dict(row._mapping)
                told = entry.pop("entry_hash")
                count += 1
                if entry["sequence"] != count:
                    return AuditReport(count, f"entry {count} is missing")
                if entry["previous_hash"] != previous or digest(entry) != told:
                    return AuditReport(count, f"entry {count} ({row.action} of {row.subject})")
                previous = told
                is_known = is_known or told == known_head
                decided += entry["detail"].get("decision_id") is not None
            decisions = connection.execute(
                sa.select(sa.func.count()).select_from(t.decisions)
            ).scalar_one()
        if decisions != decided:
            return AuditReport(count, f"{decisions} decisions, {decided} of them in the log")
        if not is_known:
            return AuditReport(count, f"its end: there is no entry {known_head} any more")
        return AuditReport(count, None, previous)
