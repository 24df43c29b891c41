"""SIGKILL at every named point of ingestion, then a normal pass: nothing lost, nothing twice."""

from __future__ import annotations

import signal
from datetime import timedelta
from pathlib import Path

import pytest
from fakes import (
    START,
    FakeClock,
    FakeSource,
    allow_negative_weights,
    make_registry,
    make_settings,
    wms_documents,
    wms_item,
    wms_system,
)
from forked import run_forked

from ingestion import spool
from ingestion.landing import refresh_views
from ingestion.load import load_system
from ingestion.warehouse import warehouse

POINTS = (
    "after_first_page",
    "before_land",
    "after_extract",
    "after_normalize",
    "after_load_before_commit",
    "after_load",
    "after_land",
    "after_views",
)


def one_pass(folder: Path) -> None:
    """In a process of its own, which dies in its midst."""
    system = wms_system()
    settings = make_settings(folder)
    load_system(system, FakeSource(system, wms_documents()), settings, "killed", FakeClock())
    with warehouse(settings) as connection:
        refresh_views(connection, make_registry(folder, system))


def run_child(folder: Path, point: str) -> int | None:
    return run_forked(one_pass, folder, crash_at=f"ingestion.{point}", timeout=120)


@pytest.mark.parametrize("point", POINTS)
def test_a_pass_after_a_kill_heals(point, tmp_path, settings, wms, query):
    assert run_child(tmp_path, point) == -signal.SIGKILL

    # Two more of each came in meanwhile.
    documents = wms_documents(items=7, positions=4)
    report = load_system(
        wms, FakeSource(wms, documents), settings, "after", FakeClock(START + timedelta(hours=1))
    )

    assert report.complete
    found = query(
        "select _record_id, count(distinct _content_hash) from landing.demo_wms__items "
        "group by all order by all"
    )
    assert found == [(f"A{number:04}", 1) for number in range(1, 8)]
    positions = query(
        "select count(distinct _record_id) from landing.demo_wms__inventory "
        "where _extraction_id = ?",
        report.extraction_id,
    )
    assert positions == [(4,)]
    assert_nothing_twice(query)
    assert_log_agrees(query)
    assert list(spool.waiting(settings, "wms")) == []
    assert list(spool.system_folder(settings, "wms").iterdir()) == []


@pytest.mark.parametrize("point", ["after_extract", "after_load_before_commit"])
def test_killed_again_and_again(point, tmp_path, settings, wms, query):
    for _ in range(2):
        assert run_child(tmp_path, point) == -signal.SIGKILL
    clock = FakeClock(START + timedelta(hours=1))
    assert load_system(wms, FakeSource(wms, wms_documents()), settings, "after", clock).complete
    assert query("select count(distinct _record_id) from landing.demo_wms__items") == [(5,)]
    assert_nothing_twice(query)
    assert_log_agrees(query)


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_while_rows_are_judged_again_lands_them_once(point, tmp_path, settings, wms, query):
    documents = wms_documents()
    documents["items"][1] = wms_item(2, WeightGrams=-5)
    source = FakeSource(wms, documents)
    first = load_system(wms, source, settings, "before", FakeClock(START - timedelta(minutes=1)))
    assert first.quarantined == 1
    allow_negative_weights(tmp_path)
    # Its source says nothing new of items.
    assert run_child(tmp_path, point) == -signal.SIGKILL
    for hour in (1, 2):
        clock = FakeClock(START + timedelta(hours=hour))
        assert load_system(wms, source, settings, "after", clock).complete
    assert query(
        "select _extraction_id, _sequence, weight_grams from landing.demo_wms__items "
        "where _record_id = 'A0002'"
    ) == [(first.extraction_id, 1, -5)]
    assert query("select count(*) from landing.quarantine") == [(1,)]
    assert_nothing_twice(query)


def assert_nothing_twice(query):
    """One row a raw identity, although an interrupted load may have left rows in the raw tables."""
    for view in ("items", "inventory"):
        doubled = query(
            f"select _record_id, _extraction_id from landing.demo_wms__{view} "
            "group by _record_id, _content_hash, _extraction_id, _sequence having count(*) > 1"
        )
        assert doubled == []
    logged_twice = query(
        "select extraction_id, entity from landing.extractions group by all having count(*) > 1"
    )
    assert logged_twice == []


def assert_log_agrees(query):
    """What the log of extractions counts is what landed."""
    for view in ("items", "inventory"):
        disagreeing = query(
            f"""
            select extraction_id, records, count(landed._record_id)
            from landing.extractions as logged
            left join landing.demo_wms__{view} as landed
                on landed._extraction_id = logged.extraction_id
            where entity = '{view}'
            group by all
            having records <> count(landed._record_id)
            """
        )
        assert disagreeing == []


def test_a_count_of_attempts_that_a_full_disk_left_empty_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "attempts").touch()
    assert [spool.count_attempt(tmp_path) for _ in range(2)] == [1, 2]


def test_a_folder_of_the_spool_is_locked_before_it_is_there(
    settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looks for leftovers would take an unlocked one for that of a dead process."""
    make = Path.mkdir

    def interrupted(folder: Path, *arguments, **options) -> None:
        make(folder, *arguments, **options)
        if folder.name == "new":
            assert list(spool.waiting(settings, "wms")) == []

    monkeypatch.setattr(Path, "mkdir", interrupted)
    with spool.SpoolWriter(settings, "wms", "new", "run") as writer:
        assert writer.folder.is_dir()
