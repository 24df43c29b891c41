"""The values that the store hands out: a correction, its attempts and the decisions about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.base import CorrectionRequest
from connectors.deadlines import Deadline
from writeback.canonical import digest
from writeback.states import State


@dataclass(frozen=True)
class Correction:
    """One row of the outbox. Columns are described in ``docs/corrections.md``.

    Times are aware UTC. ``payload``, ``old_value``, ``new_value`` and ``preconditions`` are values
    in canonical form (no floats). ``hold_codes`` says why it waits or waited for a person.
    """

    sequence: int
    correction_key: str
    proposal_key: str
    generation: int
    idempotency_key: str
    rule_id: str
    obligation_ids: list[Any]
    object_type: str | None
    object_id: str
    order_id: str | None
    order_line_id: str | None
    target_system: str
    target_role: str | None
    kind: str
    old_value: Any
    new_value: Any
    payload: dict[str, Any]
    preconditions: list[dict[str, Any]]
    payload_hash: str
    relied_on_systems: list[str]
    value_at_risk: Decimal | None
    currency: str | None
    first_sighting_at: datetime | None
    frontier_at: datetime | None
    needs_approval: bool
    conflict: bool
    hold_codes: list[str]
    approved_hash: str | None
    approved_until: datetime | None
    state: State
    state_reason: str
    lease_token: str | None
    lease_until: datetime | None
    next_attempt_at: datetime | None
    attempts: int
    possibly_sent: bool
    dry_run_at: datetime | None
    target_record_id: str | None
    created_at: datetime
    updated_at: datetime
    accepted_at: datetime | None
    verified_at: datetime | None
    withdrawn_at: datetime | None

    def request(self, deadline: Deadline | None = None) -> CorrectionRequest:
        """What the target gets; the same on every technical retry, but for its deadline."""
        old = self.old_value
        expected = old if isinstance(old, dict) else {} if old is None else {"value": old}
        return CorrectionRequest(
            kind=self.kind,
            object_id=self.object_id,
            payload=self.payload,
            expected=expected,
            idempotency_key=self.idempotency_key,
            created_at=self.created_at,
            deadline=deadline,
        )

    def due_after(self, now: datetime) -> datetime:
        """When it may be tried again once nothing else holds it: never before the time that its
        target asked for."""
        return now if self.next_attempt_at is None else max(now, self.next_attempt_at)

    def content_hash(self) -> str:
        """Hash of what an approval covers, computed now (``payload_hash`` was computed when it was
        written)."""
        return content_hash(
            self.target_system,
            self.object_id,
            self.kind,
            self.payload,
            self.old_value,
            self.new_value,
            self.preconditions,
        )

    def is_approved(self, now: datetime) -> bool:
        """Whether a person agreed to exactly this content, and recently enough."""
        return (
            self.approved_hash is not None
            and self.approved_hash == self.content_hash()
            and self.approved_until is not None
            and now < self.approved_until
        )


def content_hash(
    target_system: str,
    object_id: str,
    kind: str,
    payload: Any,
    old_value: Any,
    new_value: Any,
    preconditions: Any,
) -> str:
    """SHA-256 over everything that a person sees when approving: whom it changes, from what, to
    what, and under which condition."""
    return digest(
        {
            "target_system": target_system,
            "object_id": object_id,
            "kind": kind,
            "payload": payload,
            "old_value": old_value,
            "new_value": new_value,
            "preconditions": preconditions,
        }
    )


@dataclass(frozen=True)
class Attempt:
    """One thing done for a correction: a send, a read, a check, a dry run, an undo."""

    attempt_id: int
    correction_key: str
    attempt: int
    phase: str
    result: str
    code: str
    message: str
    response: str
    idempotency_key: str
    payload_hash: str
    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True)
class DecisionRecord:
    """What a person (or, marked as such, the engine) decided, and about which content."""

    decision_id: str
    correction_key: str
    actor: str
    decision: str
    comment: str
    payload_hash: str | None
    decided_at: datetime


@dataclass(frozen=True)
class CorrectionDetail:
    """A correction with everything that happened to it, oldest first."""

    correction: Correction
    attempts: tuple[Attempt, ...]
    decisions: tuple[DecisionRecord, ...]
