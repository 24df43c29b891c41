"""The one contract that every connector keeps, as test classes over a subject.

``ReadingContract`` for every connector, ``CursorContract`` for those that read only what is new;
``HttpReadingContract`` for those that read over HTTP, ``FolderContract`` (a ``ReadingContract``)
for those that read files; ``DeletionContract`` for those of systems in which records vanish;
``CorrectionContract`` and ``HttpCorrectionContract`` for those that take corrections. A product
inherits in one class those that apply, names its subject, and the subject says why the others do
not::

    class TestMyProduct(ReadingContract, CursorContract, HttpReadingContract):
        subject_class = MySubject

The fixture ``subject`` is the running product, one a class; ``entity`` and ``kind`` take every
value that the subject class names (see conftest.py).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow.parquet
import pytest
from contract_subject import FolderSubject, Subject
from faulty_proxy import Answer, CutBody, FaultyProxy, LoseAnswer

from connectors.base import Page, Record, Result, Source, SourceError, SweptSource
from connectors.factory import make_source
from ingestion.extract import StartingPoint, extract_system
from ingestion.spool import QUARANTINE, WITHDRAWN
from registry.contracts import Contract, contract_of
from registry.settings import Settings
from writeback.clock import SystemClock

# Short enough to wait for, long enough that a record of the same instant is read again.
SETTLE_SECONDS = 1.0
# The proxy's 429 and 5xx ask to be tried again at once.
NOW = {"Retry-After": "0"}

Version = tuple[str, str]


@dataclass
class Reading:
    """All that one extraction of an entity told."""

    pages: list[Page]
    versions: list[Version]

    @property
    def cursor(self) -> str | None:
        return self.pages[-1].cursor if self.pages else None

    @property
    def record_ids(self) -> set[str]:
        return {record_id for record_id, _ in self.versions}


def read(source: Source, entity: str, cursor: str | None = None) -> Reading:
    """One extraction: its pages, and the versions on them."""
    pages = list(source.pages(entity, cursor))
    contract = contract_of(source.system.connector, entity)
    return Reading(pages, [version(r, contract) for page in pages for r in page.records])


def version(record: Record, contract: Contract) -> Version:
    """What makes a version: the record and its content, but for how it travelled."""
    transport = {column.name for column in contract.columns if column.transport}
    content = {name: value for name, value in record.fields.items() if name not in transport}
    return record.record_id, json.dumps(content, sort_keys=True, default=str)


def sweep(source: Source, entity: str) -> set[str]:
    """All keys of an entity, as a sweep for deleted records finds them."""
    assert isinstance(source, SweptSource)
    assert entity in source.swept
    return {key for keys in source.keys(entity) for key in keys}


def is_snapshot(subject: Subject, entity: str) -> bool:
    """Whether an entity is read whole each time: balances, which have no history to miss."""
    return contract_of(subject.connector, entity).snapshot


class Killed(BaseException):
    """The process dies here; a BaseException, because nothing may survive it."""


class DiesAfter:
    """A source whose process is killed after a number of pages."""

    def __init__(self, source: Source, pages: int) -> None:
        self._source = source
        self._left = pages
        self.system = source.system
        self.entities = source.entities

    def pages(self, entity: str, cursor: str | None) -> Iterator[Page]:
        for page in self._source.pages(entity, cursor):
            yield page
            self._left -= 1
            if self._left == 0:
                raise Killed


def ingest(
    source: Any, entity: str, cursor: str | None, settings: Settings
) -> tuple[set[Version], Any]:
    """One pass of one entity through ingestion: versions as they would land, and its report."""
    system = source.system.model_copy(update={"entities": (entity,)})
    start = StartingPoint({entity: cursor})
    extracted = extract_system(system, source, settings, "run", SystemClock(), start)
    path = extracted.folder / f"{entity}.parquet"
    landed: set[Version] = set()
    if path.exists():
        rows = pyarrow.parquet.read_table(path, columns=["_record_id", "_content_hash"])
        landed = {(row["_record_id"], row["_content_hash"]) for row in rows.to_pylist()}
    (report,) = extracted.entities
    return landed, report


@dataclass(frozen=True)
class Pass:
    """One pass over all entities of a subject, as ingestion would land it."""

    landed: set[str]
    quarantined: list[dict[str, Any]]
    withdrawn: set[str]
    errors: list[str]
    cursors: dict[str, str | None]


def ingest_all(subject: Subject, cursors: Mapping[str, str | None], settings: Settings) -> Pass:
    """One pass of all entities through ingestion, which goes on where ``cursors`` say."""
    extracted = extract_system(
        subject.system(), subject.source(), settings, "run", SystemClock(), StartingPoint(cursors)
    )

    def spooled(name: str) -> list[dict[str, Any]]:
        path = extracted.folder / f"{name}.parquet"
        return pyarrow.parquet.read_table(path).to_pylist() if path.exists() else []

    reports = extracted.entities
    return Pass(
        landed={row["_record_id"] for r in reports for row in spooled(r.entity)},
        quarantined=spooled(QUARANTINE),
        withdrawn={row["container"] for row in spooled(WITHDRAWN)},
        errors=[report.error for report in reports if report.error],
        cursors={r.entity: r.cursor_to or cursors.get(r.entity) for r in reports},
    )


def waited_for(*passes: Pass) -> set[str]:
    """The records in quarantine after some passes that nothing has settled, as the models decide
    (dbt_project: int_open_quarantine)."""
    waiting: dict[str, str | None] = {}
    for each in passes:
        waiting = {
            record_id: container
            for record_id, container in waiting.items()
            if record_id not in each.landed and container not in each.withdrawn
        }
        waiting |= {row["record_id"]: row["container"] for row in each.quarantined}
    return set(waiting)


def assert_told(told: Pass, spoilt: Path) -> None:
    """Something broken is in quarantine whole and with its reason, or an error names the file."""
    if told.errors:
        assert all(spoilt.name in error for error in told.errors)
    else:
        assert told.quarantined
    assert all(row["reason"] and row["raw"] for row in told.quarantined)


class _OverSubject:
    subject_class: ClassVar[type[Subject]]

    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        return Settings(tmp_path / "home", tmp_path / "systems.toml", {})

    @pytest.fixture
    def proxy(self, subject: Subject) -> Iterator[FaultyProxy]:
        with FaultyProxy(subject.base_url) as running:
            yield running


class ReadingContract(_OverSubject):
    """Reading loses nothing and repeats nothing, whenever it stops and whatever changes."""

    def test_reading_twice_changes_nothing(
        self, subject: Subject, any_entity: str, settings: Settings
    ) -> None:
        if not is_snapshot(subject, any_entity):
            first = read(subject.source(), any_entity)
            assert first.versions
            assert set(read(subject.source(), any_entity).versions) == set(first.versions)
        landed, report = ingest(subject.source(), any_entity, None, settings)
        assert report.complete, report.error
        assert landed
        if not is_snapshot(subject, any_entity):
            again, report = ingest(subject.source(), any_entity, report.cursor_to, settings)
            assert report.complete, report.error
            assert again <= landed

    def test_small_pages_tell_the_same_as_large_ones(self, subject: Subject, entity: str) -> None:
        start = self._reached(subject, entity)
        made = subject.make(entity, 5)
        large = read(subject.source(settle_seconds=subject.lateness), entity, start)
        small = read(
            subject.source(settle_seconds=subject.lateness, page_size=subject.page_size),
            entity,
            start,
        )
        assert set(made) <= large.record_ids
        assert len(small.pages) > 1
        assert set(small.versions) == set(large.versions)
        assert len(small.versions) == len(set(small.versions))

    def test_reading_goes_on_after_every_page(self, subject: Subject, entity: str) -> None:
        start = self._reached(subject, entity)
        subject.make(entity, 5)
        source = subject.source(settle_seconds=SETTLE_SECONDS, page_size=subject.page_size)
        whole = read(source, entity, start)
        contract = contract_of(subject.connector, entity)
        assert len(whole.pages) > 1
        told: set[Version] = set()
        for page in whole.pages:
            told |= {version(record, contract) for record in page.records}
            rest = read(subject.source(settle_seconds=SETTLE_SECONDS), entity, page.cursor)
            assert told | set(rest.versions) >= set(whole.versions)

    def test_a_kill_at_every_page_loses_nothing(
        self, subject: Subject, entity: str, settings: Settings
    ) -> None:
        start = self._reached(subject, entity)
        made = subject.make(entity, 5)

        def source() -> Source:
            return subject.source(settle_seconds=SETTLE_SECONDS, page_size=subject.page_size)

        truth, report = ingest(source(), entity, start, settings)
        assert report.complete and set(made) <= {record_id for record_id, _ in truth}
        pages = len(read(source(), entity, start).pages)
        assert pages > 1
        for number in range(1, pages + 1):
            with pytest.raises(Killed):
                ingest(DiesAfter(source(), number), entity, start, settings)
            # No cursor was stored: the next pass starts where the killed one had.
            after, report = ingest(source(), entity, start, settings)
            assert report.complete
            assert after >= truth

    def test_windows_leave_no_gap_and_tell_no_version_twice(
        self, subject: Subject, entity: str
    ) -> None:
        # What earlier tests made is settled first: the windows shall hold what this one makes.
        time.sleep(SETTLE_SECONDS)
        before = read(subject.source(settle_seconds=SETTLE_SECONDS), entity)
        cursor = before.cursor
        told: set[Version] = set()
        for count in (3, 1, 4):
            made = subject.make(entity, count)
            window = read(subject.source(settle_seconds=SETTLE_SECONDS), entity, cursor)
            assert set(made) <= window.record_ids
            assert len(window.versions) == len(set(window.versions))
            assert {r for r, _ in set(window.versions) - told} >= set(made)
            told |= set(window.versions)
            cursor = window.cursor
        time.sleep(SETTLE_SECONDS)
        quiet = read(subject.source(settle_seconds=SETTLE_SECONDS), entity, cursor)
        # It reads the settle window again, and what it reads is nothing new.
        assert set(quiet.versions) <= set(before.versions) | told

    def test_records_of_one_instant_are_all_read(self, subject: Subject, entity: str) -> None:
        """More of them than a page holds, and more of the same instant after the cursor."""
        start = self._reached(subject, entity)
        _begin_a_second()
        first = subject.make(entity, 3 * subject.page_size)
        settings = {"settle_seconds": SETTLE_SECONDS, "page_size": subject.page_size}
        read_first = read(subject.source(**settings), entity, start)
        assert set(first) <= read_first.record_ids
        later = subject.make(entity, subject.page_size + 1)
        read_later = read(subject.source(**settings), entity, read_first.cursor)
        assert {r for r, _ in set(read_later.versions) - set(read_first.versions)} >= set(later)

    def test_a_record_shown_late_is_not_lost(self, subject: Subject, entity: str) -> None:
        """A record shown late carries a time before the cursor, but within the settle window. What
        has such a time and was seen is read again, and so would be what had not been seen."""
        start = self._reached(subject, entity)
        early = subject.make(entity, 2)
        _begin_a_second()
        subject.make(entity, 1)
        source = subject.source(settle_seconds=subject.lateness)
        reached = read(source, entity, start)
        again = read(subject.source(settle_seconds=subject.lateness), entity, reached.cursor)
        assert set(early) <= again.record_ids

    def test_what_changes_while_pages_are_read_is_not_lost(
        self, subject: Subject, entity: str
    ) -> None:
        start = self._reached(subject, entity)
        made = set(subject.make(entity, 5))
        settings = {"settle_seconds": SETTLE_SECONDS, "page_size": subject.page_size}
        contract = contract_of(subject.connector, entity)
        told: set[Version] = set()
        changes = 3
        cursor = start
        for page in subject.source(**settings).pages(entity, start):
            told |= {version(record, contract) for record in page.records}
            cursor = page.cursor
            if changes:
                changes -= 1
                made |= set(subject.make(entity, 1))
        told |= set(read(subject.source(**settings), entity, cursor).versions)
        now = read(subject.source(settle_seconds=subject.lateness), entity, start)
        wanted = {held for held in now.versions if held[0] in made}
        assert {record_id for record_id, _ in wanted} == made
        assert wanted <= told

    def test_a_probe_passes_and_needs_the_credentials(self, subject: Subject) -> None:
        subject.source().probe()
        if not subject.environment:
            return
        wrong = dict.fromkeys(subject.environment, "wrong")
        with pytest.raises(SourceError) as raised:
            make_source(subject.system(), wrong).probe()
        assert raised.value.kind == "unauthorised"

    def test_a_wrong_question_is_answered_with_the_right_ones(self, subject: Subject) -> None:
        source = subject.source()
        with pytest.raises(SourceError, match="it has:"):
            list(source.pages("shoes", None))
        with pytest.raises(SourceError, match="can't look up"):
            source.read_one(source.entities[0], {"colour": "red"})

    def _reached(self, subject: Subject, entity: str) -> str | None:
        """The cursor after everything that is there."""
        return read(subject.source(settle_seconds=SETTLE_SECONDS), entity).cursor


class CursorContract(_OverSubject):
    """A pass reads what is new, not everything."""

    def test_a_pass_without_news_does_not_read_everything_again(
        self, subject: Subject, entity: str
    ) -> None:
        subject.make(entity, 3)
        time.sleep(SETTLE_SECONDS)
        # The newest of all stay within the settle window for ever: it is measured from them.
        subject.make(entity, 1)
        everything = read(subject.source(settle_seconds=SETTLE_SECONDS), entity)
        quiet = read(subject.source(settle_seconds=SETTLE_SECONDS), entity, everything.cursor)
        assert set(quiet.versions) < set(everything.versions)


class FolderContract(ReadingContract):
    """What lies in a folder is read once, whatever its times say, and broken things cost only
    themselves."""

    def test_a_record_shown_late_is_not_lost(self, subject: Subject, entity: str) -> None:
        """The cursor holds files and no time: one that comes late is news, however old it says it
        is, and so what was seen need not be read again."""
        assert isinstance(subject, FolderSubject)
        start = self._reached(subject, entity)
        made = subject.make(entity, 2)
        for path in subject.folder.rglob("*.*"):
            os.utime(path, (1, 1))
        late = read(subject.source(), entity, start)
        assert set(made) <= late.record_ids

    def test_a_touched_file_is_no_news(self, subject: Subject, entity: str) -> None:
        assert isinstance(subject, FolderSubject)
        subject.make(entity, 1)
        before = read(subject.source(), entity)
        for path in subject.folder.rglob("*.*"):
            path.touch()
        assert set(read(subject.source(), entity, before.cursor).versions) <= set(before.versions)

    def test_a_grown_file_tells_what_was_added(self, subject: Subject, entity: str) -> None:
        assert isinstance(subject, FolderSubject)
        subject.make(entity, 1)
        before = read(subject.source(), entity)
        added = subject.grow(entity)
        after = read(subject.source(), entity, before.cursor)
        assert {r for r, _ in set(after.versions) - set(before.versions)} == {added}

    def test_what_is_broken_is_told_and_costs_nothing_else(
        self, subject: Subject, entity: str, damage: str, settings: Settings
    ) -> None:
        """Twice: also in the passes after, until somebody mends it."""
        assert isinstance(subject, FolderSubject)
        start = ingest_all(subject, {}, settings)
        spoilt = subject.spoil(entity, damage)
        made = subject.make(entity, 2)
        first = ingest_all(subject, start.cursors, settings)
        assert set(made) <= first.landed
        assert_told(first, spoilt)
        later = subject.make(entity, 1)
        second = ingest_all(subject, first.cursors, settings)
        assert set(later) <= second.landed
        # What can't be placed keeps its pass incomplete; what is in quarantine is told once.
        assert bool(second.errors) == bool(first.errors)
        assert not second.quarantined
        mended = subject.mend(entity, spoilt)
        third = ingest_all(subject, second.cursors, settings)
        assert not third.errors
        assert set(mended) <= third.landed
        assert ingest_all(subject, third.cursors, settings).landed == set()

    @pytest.mark.parametrize("remedy", ["mend", "take_away"])
    def test_what_is_in_quarantine_is_waited_for_until_somebody_sees_to_it(
        self, subject: Subject, entity: str, damage: str, remedy: str, settings: Settings
    ) -> None:
        assert isinstance(subject, FolderSubject)
        start = ingest_all(subject, {}, settings)
        spoilt = subject.spoil(entity, damage)
        broken = ingest_all(subject, start.cursors, settings)
        assert {row["container"] for row in broken.quarantined} == (
            {spoilt.relative_to(subject.folder).as_posix()} if broken.quarantined else set()
        )
        # Other files that come and go release nothing.
        subject.make(entity, 2)
        after = ingest_all(subject, broken.cursors, settings)
        assert waited_for(broken, after) == waited_for(broken)
        if remedy == "mend":
            subject.mend(entity, spoilt)
        else:
            spoilt.unlink()
        released = ingest_all(subject, after.cursors, settings)
        assert not released.errors
        assert waited_for(broken, after, released) == set()


class DeletionContract(_OverSubject):
    """A record that vanishes is seen to be gone, and nothing else ever is."""

    def test_a_sweep_finds_the_keys_of_all_that_is_read(
        self, subject: Subject, deletable_entity: str
    ) -> None:
        subject.make(deletable_entity, 3)
        keys = sweep(subject.source(), deletable_entity)
        assert keys == read(subject.source(), deletable_entity).record_ids

    def test_a_deleted_record_is_missing_from_the_next_sweep(
        self, subject: Subject, deletable_entity: str
    ) -> None:
        made = subject.make(deletable_entity, 3)
        before = sweep(subject.source(page_size=subject.page_size), deletable_entity)
        assert set(made) <= before
        subject.delete(deletable_entity, made[1])
        after = sweep(subject.source(page_size=subject.page_size), deletable_entity)
        assert before - after == {made[1]}

    def test_what_is_deleted_during_a_sweep_hides_nothing_else(
        self, subject: Subject, deletable_entity: str
    ) -> None:
        """Pages shift when a record vanishes; a sweep may fail then, but must not miss others."""
        made = subject.make(deletable_entity, 4)
        found: set[str] = set()
        left = made[:2]
        source = subject.source(page_size=subject.page_size)
        assert isinstance(source, SweptSource)
        try:
            for keys in source.keys(deletable_entity):
                found.update(keys)
                if left:
                    subject.delete(deletable_entity, left.pop())
        except SourceError:
            return
        assert set(made[2:]) <= found

    def test_a_sweep_that_is_cut_is_no_sweep(
        self, subject: Subject, proxy: FaultyProxy, deletable_entity: str
    ) -> None:
        subject.make(deletable_entity, 1)
        with (
            proxy.fault(Answer(500, NOW), subject.is_read),
            pytest.raises(SourceError),
        ):
            sweep(subject.source(base_url=proxy.url), deletable_entity)


class HttpReadingContract(_OverSubject):
    """What a read makes of the answers that a system can give; connectors/http.py has the list."""

    @pytest.mark.parametrize(
        ("status", "error_kind"),
        [
            (401, "unauthorised"),
            (403, "forbidden"),
            (404, "not_found"),
            (409, "refused"),
            (412, "refused"),
            (422, "refused"),
            (429, "rate_limited"),
            (500, "server_error"),
            (502, "server_error"),
            (503, "server_error"),
            (504, "server_error"),
        ],
    )
    def test_a_status_that_stays_ends_the_extraction_with_its_kind(
        self, subject: Subject, proxy: FaultyProxy, settings: Settings, status: int, error_kind: str
    ) -> None:
        entity = subject.moving[0]
        source = subject.source(base_url=proxy.url)
        before = read(source, entity)
        with proxy.fault(Answer(status, NOW), subject.is_read):
            landed, report = ingest(source, entity, before.cursor, settings)
        assert (report.complete, report.error_kind) == (False, error_kind)
        assert report.cursor_to is None and not landed
        assert source.system.name in report.error
        made = subject.make(entity, 1)
        assert set(made) <= read(source, entity, before.cursor).record_ids

    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
    def test_a_status_that_passes_is_not_seen(
        self, subject: Subject, proxy: FaultyProxy, status: int
    ) -> None:
        entity = subject.moving[0]
        made = subject.make(entity, 2)
        with proxy.fault(Answer(status, NOW), subject.is_read, times=2):
            found = read(subject.source(base_url=proxy.url), entity)
        assert set(made) <= found.record_ids

    def test_a_cut_answer_is_never_taken_for_the_whole(
        self, subject: Subject, proxy: FaultyProxy, settings: Settings
    ) -> None:
        entity = subject.moving[0]
        source = subject.source(base_url=proxy.url)
        before = read(source, entity)
        made = subject.make(entity, 2)
        with proxy.fault(CutBody(), subject.is_read):
            landed, report = ingest(source, entity, before.cursor, settings)
        assert (report.complete, report.error_kind) == (False, "bad_page")
        assert not landed
        assert set(made) <= read(source, entity, before.cursor).record_ids

    def test_a_lost_answer_is_asked_for_again(self, subject: Subject, proxy: FaultyProxy) -> None:
        entity = subject.moving[0]
        made = subject.make(entity, 1)
        with proxy.fault(LoseAnswer(), subject.is_read, times=1):
            assert set(made) <= read(subject.source(base_url=proxy.url), entity).record_ids


class CorrectionContract(_OverSubject):
    """A correction has one effect however often it is sent, and its undo takes that back."""

    def test_a_correction_is_applied_once_and_read_back(self, subject: Subject, kind: str) -> None:
        target, wanted = subject.target(), subject.correction(kind)
        assert kind in target.kinds
        before = target.read(wanted)
        assert (before.applied, before.precondition_met) == (False, True)
        outcome = target.apply(wanted)
        assert outcome.result is Result.OK, outcome
        assert outcome.target_record_id
        assert subject.effects(wanted) == 1
        after = target.read(wanted)
        assert after.applied and not after.precondition_met
        assert after.applied_by_key is not False

        # The same once more, and by another process: replayed or refused, never a second effect.
        for sender in (target, subject.target()):
            again = sender.apply(wanted)
            assert again.result in (Result.OK, Result.REFUSED), again
            assert subject.effects(wanted) == 1

    def test_the_undo_undoes(self, subject: Subject, reversible_kind: str) -> None:
        target, wanted = subject.target(), subject.correction(reversible_kind)
        outcome = target.apply(wanted)
        assert outcome.result is Result.OK, outcome
        undone = target.undo(wanted, outcome.target_record_id)
        assert undone.result is Result.OK, undone
        restored = target.read(wanted)
        assert (restored.applied, restored.precondition_met) == (False, True)
        again = target.undo(wanted, outcome.target_record_id)
        assert again.code == "already_undone", again


class HttpCorrectionContract(_OverSubject):
    """What a correction makes of the answers that a system can give: docs/corrections.md."""

    @pytest.mark.parametrize(
        ("status", "result", "code"),
        [
            (401, Result.REFUSED, "unauthorised"),
            (403, Result.REFUSED, "forbidden"),
            (404, Result.REFUSED, "http_404"),
            (409, Result.REFUSED, "version_conflict"),
            (412, Result.REFUSED, "version_conflict"),
            (422, Result.REFUSED, "http_422"),
            (429, Result.RETRY, "rate_limited"),
            (500, Result.UNKNOWN, "http_500"),
            (502, Result.UNKNOWN, "http_502"),
            (503, Result.RETRY, "unavailable"),
            (504, Result.UNKNOWN, "http_504"),
        ],
    )
    def test_each_answer_leads_to_its_outcome(
        self, subject: Subject, proxy: FaultyProxy, status: int, result: Result, code: str
    ) -> None:
        target = subject.target(base_url=proxy.url)
        wanted = subject.correction(subject.kinds[0])
        headers = {"Retry-After": "7"} if result is Result.RETRY else {}
        with proxy.fault(Answer(status, headers), subject.is_write):
            outcome = target.apply(wanted)
        assert (outcome.result, outcome.code) == (result, code)
        assert outcome.retry_after_seconds == (7.0 if result is Result.RETRY else None)
        assert subject.effects(wanted) == 0
        again = target.apply(wanted)
        assert again.result is Result.OK, again
        assert subject.effects(wanted) == 1

    def test_a_write_that_fails_is_sent_once(self, subject: Subject, proxy: FaultyProxy) -> None:
        """Whether to send again is the engine's decision."""
        target = subject.target(base_url=proxy.url)
        wanted = subject.correction(subject.kinds[0])
        with proxy.fault(Answer(503), subject.is_write):
            target.apply(wanted)
        assert len([asked for asked in proxy.seen if subject.is_write(asked)]) == 1

    def test_a_lost_answer_is_unknown_and_found_by_reading(
        self, subject: Subject, proxy: FaultyProxy, kind: str
    ) -> None:
        target, wanted = subject.target(base_url=proxy.url), subject.correction(kind)
        with proxy.fault(LoseAnswer(), subject.is_write, times=1):
            outcome = target.apply(wanted)
        assert outcome.result is Result.UNKNOWN, outcome
        state = target.read(wanted)
        assert state.applied and state.applied_by_key is not False
        again = target.apply(wanted)
        assert again.result in (Result.OK, Result.REFUSED), again
        assert subject.effects(wanted) == 1

    def test_a_target_that_can_not_be_reached_is_tried_later(self, subject: Subject) -> None:
        wanted = subject.correction(subject.kinds[0])
        outcome = subject.target(base_url="http://127.0.0.1:9").apply(wanted)
        assert (outcome.result, outcome.code) == (Result.RETRY, "unreachable")
        assert subject.effects(wanted) == 0


def _begin_a_second() -> None:
    """Wait for the next whole second, so that clocks of whole seconds show one for what follows."""
    time.sleep(1 - time.time() % 1)
