"""The operations store as one object. Its parts: outbox, questions, brakes, on one database."""

from __future__ import annotations

from writeback.brakes import Gate
from writeback.database import LeaseLostError, UnknownCorrectionError
from writeback.outbox import AttemptEntry
from writeback.questions import AttemptCounts, Questions

__all__ = [
    "AttemptCounts",
    "AttemptEntry",
    "Gate",
    "LeaseLostError",
    "OperationsStore",
    "UnknownCorrectionError",
]


class OperationsStore(Questions):
    """Outbox, attempts, decisions, gates, kill switch and breakers behind one SQLAlchemy URL.

    ``OperationsStore("sqlite:////var/lib/tallyman/operations.sqlite")``. Safe from several threads
    and processes at once. An empty database gets its tables, and a store of an earlier version is
    brought up to this one with all its rows; one of a later version is refused (StoreTooNewError).
    """
