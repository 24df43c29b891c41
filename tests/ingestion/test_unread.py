"""Records that a sweep of keys sees and no reading told: committed later than the cursor allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fakes import wms_documents, wms_item, wms_system
from test_sweep import Swept

from connectors.base import Page, SourceError
from ingestion.load import load_system
from registry.systems import System

SETTLE = timedelta(seconds=wms_system().settle_seconds)


class CommitsLate(Swept):
    """A source in which a long transaction shows records behind the place where reading goes on."""

    def commit_late(self, *documents: Any) -> None:
        self.documents["items"][:0] = documents


class TellsItsPlace(Swept):
    """A source whose ``hidden`` records are seen by sweeps and by readings without a cursor."""

    hidden: Sequence[Any] = ()

    def keys(self, entity: str) -> Iterator[list[str]]:
        self.shown_only = [item["Sku"] for item in self.hidden]
        return super().keys(entity)

    def pages(self, entity: str, cursor: str | None) -> Iterator[Page]:
        self.documents = {"items": [] if cursor else list(self.hidden)}
        for page in super().pages(entity, None):
            yield replace(page, cursor="0")
        self.documents = {"items": []}


@pytest.fixture
def every_pass() -> System:
    return wms_system().model_copy(update={"sweep_seconds": 0})


@pytest.fixture
def passes(every_pass, settings, clock):
    """Reads the source in so many passes, each later than what may still settle."""
    numbers = iter(range(1, 100))

    def read(source: Swept, times: int = 1):
        for _ in range(times):
            clock.moment += SETTLE + timedelta(seconds=1)
            run = f"run-{next(numbers)}"
            report = load_system(every_pass, source, settings, run, clock)
        return next(entity for entity in report.entities if entity.entity == "items")

    return read


def landed(query: Any, record: str) -> int:
    return len(query(f"select 1 from landing.demo_wms__items where _record_id = '{record}'"))


def starts(source: Swept) -> list[str | None]:
    return [cursor for entity, cursor in source.asked if entity == "items"]


def test_what_was_committed_late_is_read_and_nothing_lands_twice(every_pass, passes, query):
    source = CommitsLate(every_pass, wms_documents())
    passes(source)
    source.commit_late(wms_item(77))
    # Seen by the sweep of the second pass, waited for in the third, and read by the fourth.
    passes(source, 2)
    assert landed(query, "A0077") == 0
    report = passes(source)

    assert landed(query, "A0077") == 1 and landed(query, "A0001") == 1
    assert starts(source)[-1] is None and report.records == 1
    assert report.notices == (
        "1 record came later than settle_seconds (60) allows, such as A0077: all was read again; "
        "let settle_seconds be longer than the longest transaction of wms",
    )
    passes(source)
    assert starts(source)[-1] is not None


def test_what_is_new_is_no_reason_to_read_all_again(every_pass, passes):
    source = CommitsLate(every_pass, wms_documents())
    passes(source)
    for number in range(10, 15):
        # One before the pass, and one between its reading and its sweep.
        source.documents["items"].append(wms_item(number))
        source.during_sweep = lambda n=number: source.documents["items"].append(wms_item(n + 10))
        passes(source)
    passes(source, 3)
    assert starts(source).count(None) == 1


def test_what_no_reading_tells_is_sought_once(every_pass, passes, query):
    source = CommitsLate(every_pass, wms_documents())
    source.shown_only = ["A9999"]
    passes(source, 8)

    assert starts(source).count(None) == 2 and landed(query, "A9999") == 0
    assert query("select notices from landing.extractions where notices is not null") == [
        (
            "1 record of its list of keys can't be read, such as A9999: deleted since, or kept "
            "from us by its rights",
        )
    ]
    source.shown_only += ["A9998"]
    passes(source, 8)
    assert starts(source).count(None) == 3


def test_a_reading_that_fails_has_sought_nothing(every_pass, passes, query):
    source = CommitsLate(every_pass, wms_documents())
    passes(source)
    source.commit_late(wms_item(77))
    passes(source, 2)
    source.failures = {"items": (0, SourceError("bad_page", "the page is cut"))}
    passes(source, 2)
    source.failures = {}
    passes(source)
    assert landed(query, "A0077") == 1


def test_what_is_in_quarantine_was_read(every_pass, passes):
    source = CommitsLate(every_pass, wms_documents())
    passes(source)
    source.documents["items"].append(wms_item(6, WeightGrams="heavy"))
    passes(source, 6)
    assert starts(source).count(None) == 1


def test_what_is_sought_from_a_copy_without_it_is_sought_again(
    every_pass, passes, settings, query, tmp_path
):
    """The spool of the reading may be lost: what was not landed was not sought."""
    source = CommitsLate(every_pass, wms_documents())
    passes(source)
    source.commit_late(wms_item(77))
    passes(source, 2)
    older = settings.warehouse.read_bytes()
    passes(source)
    settings.warehouse.write_bytes(older)
    passes(source)
    assert landed(query, "A0077") == 1


def test_the_first_record_of_all_may_be_committed_late(every_pass, passes, query):
    """A source may tell how far it was read before it has anything to tell."""
    source = TellsItsPlace(every_pass, {"items": []})
    passes(source)
    source.hidden = [wms_item(77)]
    passes(source, 2)
    assert landed(query, "A0077") == 0
    passes(source)
    assert landed(query, "A0077") == 1
