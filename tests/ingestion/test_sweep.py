"""Looking for deleted records: when, against what, and that a bad sweep deletes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from fakes import FakeSource, wms_documents, wms_system

from connectors.base import SourceError
from ingestion.extract import extract_system
from ingestion.load import load_system
from ingestion.warehouse import warehouse
from registry.systems import System


class Swept(FakeSource):
    """A source whose items can vanish: ``documents`` is also what its sweep of keys shows, and
    ``shown_only`` what nothing else does."""

    swept = frozenset({"items"})
    fails: SourceError | None = None
    sweeps = 0
    shown_only: Sequence[str] = ()
    during_sweep: Callable[[], None] | None = None

    def keys(self, entity: str) -> Iterator[list[str]]:
        self.sweeps += 1
        if self.during_sweep:
            self.during_sweep()
        for document in self.documents[entity]:
            yield [document["Sku"]]
        yield list(self.shown_only)
        if self.fails:
            raise self.fails

    def delete(self, sku: str) -> None:
        items = self.documents["items"]
        self.documents["items"] = [item for item in items if item["Sku"] != sku]


@pytest.fixture
def every_pass() -> System:
    return wms_system().model_copy(update={"sweep_seconds": 0})


def missed(query: Any) -> list[tuple[Any, ...]]:
    return query(
        "select m.entity, m.record_id, x.run_id from landing.missing_records as m "
        "join landing.extractions as x using (system, entity, extraction_id) order by all"
    )


def swept(query: Any) -> list[tuple[Any, ...]]:
    return query("select entity, run_id, swept from landing.extractions where swept order by all")


def test_what_vanished_is_missed_by_every_sweep_after(settings, every_pass, clock, query):
    source = Swept(every_pass, wms_documents())
    load_system(every_pass, source, settings, "run-1", clock)
    source.delete("A0003")
    for run in ("run-2", "run-3"):
        load_system(every_pass, source, settings, run, clock)

    assert missed(query) == [("items", "A0003", "run-2"), ("items", "A0003", "run-3")]
    assert swept(query) == [("items", f"run-{number}", True) for number in (1, 2, 3)]


def test_each_change_lands_once_and_each_sweep_tells_all_that_it_missed(
    settings, every_pass, clock, query
):
    """What is gone for good landed again with every sweep, and the log grew by all of it."""
    source = Swept(every_pass, wms_documents(items=9))
    items = source.documents["items"]
    expected = []
    for run, gone in enumerate([(), (3, 4), (3, 4), (4, 5), (3, 4), (), (4,), (4,)]):
        source.documents["items"] = [one for n, one in enumerate(items, 1) if n not in gone]
        load_system(every_pass, source, settings, f"run-{run}", clock)
        expected += [("items", f"A000{number}", f"run-{run}") for number in gone]
    assert missed(query) == sorted(expected)
    landed = query("select record_id, is_back from raw_wms.missing_records order by missed_at, 1")
    assert landed == [
        ("A0003", False),
        ("A0004", False),
        ("A0003", True),
        ("A0005", False),
        ("A0003", False),
        ("A0005", True),
        ("A0003", True),
        ("A0004", True),
        ("A0004", False),
    ]
    assert query(
        "select count(*) from landing.missing_records as m join landing.extractions as x "
        "using (system, entity, extraction_id) where m.missed_at = x.ended_at"
    ) == [(len(expected),)]


def test_no_sweep_is_held_against_one_that_has_not_landed(settings, every_pass, clock, query):
    """The process died before its sweep landed: the next one could not take back what that missed,
    and one miss counted as two."""
    source = Swept(every_pass, wms_documents())
    load_system(every_pass, source, settings, "run-1", clock)
    there = source.documents["items"]
    source.delete("A0003")
    extract_system(every_pass, source, settings, "run-2", clock)
    source.documents["items"] = there
    for run in ("run-3", "run-4"):
        load_system(every_pass, source, settings, run, clock)
    assert missed(query) == [("items", "A0003", "run-2")]
    assert swept(query) == [("items", f"run-{number}", True) for number in (1, 2, 4)]


def test_what_an_earlier_version_wrote_down_for_each_sweep_is_told_as_it_was(
    settings, every_pass, clock, query
):
    source = Swept(every_pass, wms_documents())
    load_system(every_pass, source, settings, "run-1", clock)
    source.delete("A0003")
    load_system(every_pass, source, settings, "run-2", clock)
    with warehouse(settings) as connection:
        connection.execute("alter table raw_wms.missing_records drop column is_back")
    assert missed(query) == [("items", "A0003", "run-2")]
    shutil.rmtree(settings.dlt_home / "tallyman_wms")
    source.delete("A0004")
    for run in ("run-3", "run-4"):
        load_system(every_pass, source, settings, run, clock)
    assert missed(query) == [
        ("items", "A0003", "run-2"),
        ("items", "A0003", "run-3"),
        ("items", "A0003", "run-4"),
        ("items", "A0004", "run-3"),
        ("items", "A0004", "run-4"),
    ]


def test_a_sweep_waits_until_it_is_due(settings, clock, query):
    hourly = wms_system().model_copy(update={"sweep_seconds": 3600})
    source = Swept(hourly, wms_documents())
    for run in ("run-1", "run-2"):
        load_system(hourly, source, settings, run, clock)
    assert source.sweeps == 1
    clock.moment += timedelta(hours=1)
    load_system(hourly, source, settings, "run-3", clock)
    assert [run for _, run, _ in swept(query)] == ["run-1", "run-3"]


def test_a_sweep_that_fails_deletes_nothing_and_is_tried_again(settings, every_pass, clock, query):
    source = Swept(every_pass, wms_documents())
    load_system(every_pass, source, settings, "run-1", clock)
    source.delete("A0003")
    source.fails = SourceError("bad_page", "the page is cut")
    report = load_system(every_pass, source, settings, "run-2", clock)

    items = next(entity for entity in report.entities if entity.entity == "items")
    assert items.complete and not items.swept
    assert items.notices == ("deleted records were not looked for: the page is cut",)
    assert missed(query) == []
    source.fails = None
    load_system(every_pass, source, settings, "run-3", clock)
    assert missed(query) == [("items", "A0003", "run-3")]


def test_an_empty_sweep_is_taken_for_a_fault(settings, every_pass, clock, query):
    source = Swept(every_pass, wms_documents())
    load_system(every_pass, source, settings, "run-1", clock)
    source.documents["items"] = []
    report = load_system(every_pass, source, settings, "run-2", clock)
    items = next(entity for entity in report.entities if entity.entity == "items")
    assert not items.swept and "no items at all where it had 5" in items.notices[-1]
    assert missed(query) == []


def test_a_sweep_that_misses_far_more_than_people_delete_is_taken_for_a_fault(
    settings, every_pass, clock, query
):
    """So it looks when our user loses a part of its rights: list and count agree."""
    source = Swept(every_pass, wms_documents(items=1500))
    load_system(every_pass, source, settings, "run-1", clock)
    everything = source.documents["items"]
    source.documents["items"] = everything[:900]
    for run in ("run-2", "run-3"):
        report = load_system(every_pass, source, settings, run, clock)
        items = next(entity for entity in report.entities if entity.entity == "items")
        assert not items.swept
        assert "600 of 1,500 items vanished from wms at once" in items.notices[-1]
        assert "vanish_limit = 600" in items.notices[-1]
    assert missed(query) == []

    confirmed = every_pass.model_copy(update={"vanish_limit": 600})
    source.system = confirmed
    load_system(confirmed, source, settings, "run-4", clock)
    assert len(missed(query)) == 600
    # Confirmed once, they are no news to the sweeps after it.
    source.system = every_pass
    load_system(every_pass, source, settings, "run-5", clock)
    assert [run for _, run, _ in swept(query)] == ["run-1", "run-4", "run-5"]


@pytest.mark.parametrize(("items", "usual"), [(100, 20), (1500, 30)])
def test_a_few_may_vanish_at_once(settings, every_pass, clock, query, items, usual):
    source = Swept(every_pass, wms_documents(items=items))
    load_system(every_pass, source, settings, "run-1", clock)
    del source.documents["items"][:usual]
    load_system(every_pass, source, settings, "run-2", clock)
    assert len(missed(query)) == usual
    # One more than that again is too many, however many were gone before.
    del source.documents["items"][: usual + 1]
    load_system(every_pass, source, settings, "run-3", clock)
    assert len(missed(query)) == usual


def test_a_source_in_which_nothing_vanishes_is_not_swept(settings, wms, clock, query):
    load_system(wms, FakeSource(wms, wms_documents()), settings, "run-1", clock)
    assert swept(query) == []


def test_an_incomplete_extraction_is_not_swept(settings, every_pass, clock, query):
    source = Swept(
        every_pass, wms_documents(), {"items": (2, SourceError("bad_page", "the page is cut"))}
    )
    load_system(every_pass, source, settings, "run-1", clock)
    assert source.sweeps == 0 and swept(query) == []
