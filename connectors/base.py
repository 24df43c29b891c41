"""What every connector offers: a Source that can be read and, if it takes corrections, a Target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from os import PathLike
from typing import Any, Protocol, runtime_checkable

from connectors.deadlines import Deadline
from registry.errors import TallymanError
from registry.systems import System

# How a notice begins that the models take for a signal of the feed (feed_troubles.sql).
TOLD_AGAIN = "told again"
ODD_ENCODING = "odd encoding"
TIME_CUT_OFF = "time cut off"
DAYS_ONLY = "days without a time"
OUT_OF_ORDER = "out of order"


@dataclass(frozen=True)
class Record:
    """One record as the source told it.

    ``record_id`` is the source's own identity (stable over versions). ``fields`` are the source's
    fields under the contract's column names, values untouched. ``raw`` is the source's text.
    ``reference`` is the business key that links it to others (order, shipment or tracking number),
    kept for a record that breaks the contract, so that its absence is not taken for a fact.
    ``problem`` is what makes the connector itself refuse it, whatever its fields hold: it goes to
    quarantine with these words as the reason. ``container`` is what the source keeps it in, where
    that can be told anew or taken away as a whole (a file).
    """

    record_id: str
    fields: Mapping[str, Any]
    raw: str
    reference: str | None = None
    problem: str | None = None
    container: str | None = None


@dataclass(frozen=True)
class Page:
    """A batch of records of one entity, with the cursor from which reading goes on after it.

    ``withdrawn``: containers of which nothing that earlier extractions told counts any more: this
    one has told them anew as a whole, or they are gone. Nobody waits for the records in quarantine
    that came from them; what is still broken is quarantined again by this extraction.
    ``notices``: what was odd about it, in words for people.
    """

    entity: str
    records: list[Record]
    cursor: str | None
    clock_offset_seconds: float | None = None
    clock_uncertainty_seconds: float | None = None
    withdrawn: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


class SourceError(TallymanError):
    """A source could not be read. ``kind`` is a stable code for the log of extractions;
    ``retry_after``: how many seconds it wants to be left alone, if it said so."""

    retry_after: float | None = None

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def may_not_be_listed(folder: str | PathLike[str], error: OSError) -> SourceError:
    """What to raise for a folder that a walk would pass over without a word: it must not look like
    one in which nothing lies."""
    return SourceError(
        "unreadable",
        f"{folder}: {error.strerror or error}; let the user that runs tallyman list this folder, "
        "what lies in it and below",
    )


class Source(Protocol):
    """What can be read from one system instance.

    A source may also have ``notices`` (a list of texts for people, which the log of extractions
    keeps) and ``keeps_place_on_failure = True``: then the cursor of its last page is stored even if
    the extraction failed after it, because the cursor itself tells what could not be read.
    """

    system: System

    @property
    def entities(self) -> tuple[str, ...]:
        """Entities in the order in which they must be read."""
        ...

    def probe(self) -> None:
        """The cheapest request that needs the credentials. Raises SourceError."""
        ...

    def pages(self, entity: str, cursor: str | None) -> Iterator[Page]:
        """Pages after ``cursor`` (None: everything), overlapping it by the settle window.

        Raises SourceError. The cursor of the last page is stored only with a complete extraction,
        unless the source keeps its place.
        """
        ...

    def read_one(self, entity: str, key: Mapping[str, str]) -> list[Record]:
        """Records of an entity that match a key now (point read before a correction is sent)."""
        ...


@runtime_checkable
class SweptSource(Protocol):
    """A source of a system in which records vanish without a trace, so that no cursor shows it.

    Ingestion compares a sweep of all keys with what landed before it; a record counts as deleted
    once two complete sweeps in a row have missed it (dbt_project: int_deleted_records). One that is
    swept and never told, because it was committed later than the cursor looks back, has its entity
    read from the start (ingestion/unread.py).
    """

    @property
    def swept(self) -> frozenset[str]:
        """Entities of which a record can be deleted for good."""
        ...

    def keys(self, entity: str) -> Iterator[list[str]]:
        """The record ids of all records that exist now, page by page.

        Raises SourceError, also when it can't be sure to have seen them all (a page is cut, the
        count differs from the announced one): a sweep that ends without an error is complete.
        """
        ...


class Result(StrEnum):
    """The three-valued outcome of a send, plus the technical no."""

    OK = "ok"
    REFUSED = "refused"  # the target understood and said no: never sent again unchanged
    UNKNOWN = "unknown"  # the effect may or may not have happened: read, do not send again
    RETRY = "retry"  # not taken now (429, 503, refused connection): look, and send again later


@dataclass(frozen=True)
class Outcome:
    """What a target answered to one correction. ``perhaps_applied``: of a ``retry`` that somebody
    between us and the target may have said, after the target had done its work."""

    result: Result
    code: str  # stable reason code, e.g. "http_201", "http_422", "timeout", "version_conflict"
    message: str = ""
    target_record_id: str | None = None  # the record created or changed
    retry_after_seconds: float | None = None
    response: str = ""
    perhaps_applied: bool = False

    @property
    def is_an_answer(self) -> bool:
        """Whether the target itself said yes or no: it is there and works."""
        return self.result in (Result.OK, Result.REFUSED)


@dataclass(frozen=True)
class CorrectionRequest:
    """One correction, in canonical terms; the connector translates it to its dialect.

    ``payload`` is what ``docs/corrections.md`` lists for the kind. ``idempotency_key`` stays the
    same over technical retries. ``expected`` holds what the target must hold now.
    """

    kind: str
    object_id: str
    payload: Mapping[str, Any]
    expected: Mapping[str, Any]
    idempotency_key: str
    created_at: datetime
    # After it the sender may no longer be the one who decides: the target must not be asked.
    deadline: Deadline | None = None


@dataclass(frozen=True)
class TargetState:
    """What the target holds now about the object of a correction.

    ``applied``: the new value is there, and by this very key where the target tells
    (``applied_by_key``). ``precondition_met``: the expected old value is still there. ``begun``: a
    part of our own work stands and the rest is still to be done (then not ``applied``), so that
    the old value may be gone by our own doing.
    """

    applied: bool
    precondition_met: bool
    applied_by_key: bool | None = None
    target_record_id: str | None = None
    observed: Mapping[str, Any] = field(default_factory=dict)
    begun: bool = False


class Target(Protocol):
    """Corrections that one system instance can take."""

    system: System

    @property
    def kinds(self) -> frozenset[str]: ...

    def apply(self, request: CorrectionRequest) -> Outcome:
        """Send it once. Never raises for what the target or the network did: see Outcome."""
        ...

    def read(self, request: CorrectionRequest) -> TargetState:
        """Read the one object. Raises SourceError when the target can't be read."""
        ...

    def undo(self, request: CorrectionRequest, target_record_id: str | None) -> Outcome:
        """Apply the inverse of an applied correction."""
        ...


@runtime_checkable
class BatchTarget(Protocol):
    """A Target that takes several corrections of a kind in one request."""

    @property
    def batches(self) -> Mapping[str, int]:
        """Kind -> how many at most."""
        ...

    def apply_batch(self, requests: Sequence[CorrectionRequest]) -> Mapping[str, Outcome]:
        """Send them once, all in one request; the outcome of each by its idempotency key.

        Each item is applied or not for itself. Of an item that the answer does not mention nothing
        is known: it is left out. Never raises for what the target or the network did.
        """
        ...
