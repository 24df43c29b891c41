"""Quarantined rows are judged again when their contract changes, and land as of their own time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes import START, FakeClock, FakeSource, allow_negative_weights, wms_documents, wms_item

from connectors.base import Record, SourceError
from ingestion.load import load_system
from registry.settings import Settings
from registry.systems import System

LATER = START + timedelta(days=1)
LANDED = (
    "select _record_id, _sequence, weight_grams from landing.demo_wms__items "
    "where _extraction_id = ? order by all"
)


@pytest.fixture
def documents() -> dict[str, list[Any]]:
    """Items, of which the present contract refuses the second, and any would refuse the third."""
    found = wms_documents(items=4)
    found["items"][1] = wms_item(2, WeightGrams=-5)
    found["items"][2] = wms_item(3, CasePack="many")
    return found


def load(system: System, source: FakeSource, settings: Settings, clock: FakeClock) -> Any:
    return load_system(system, source, settings, "run", clock)


def test_a_row_that_a_changed_contract_takes_lands_in_its_place_and_once(
    settings, wms, documents, query, tmp_path: Path
):
    source = FakeSource(wms, documents)
    first = load(wms, source, settings, FakeClock())
    assert first.quarantined == 2
    [(quarantined_at,)] = query("select distinct quarantined_at from landing.quarantine")

    allow_negative_weights(tmp_path)
    second = load(wms, source, settings, FakeClock(LATER))
    items = next(report for report in second.entities if report.entity == "items")
    assert items.notices == ("1 of 2 rows in quarantine pass the changed contract and land now",)
    # Its own count is that of what the source told now.
    assert (second.records, second.quarantined) == (3, 0)
    assert query(LANDED, first.extraction_id) == [
        ("A0001", 0, 250),
        ("A0002", 1, -5),
        ("A0004", 3, 250),
    ]
    [(raw, extracted_at)] = query(
        "select _raw, _extracted_at from landing.demo_wms__items where _record_id = 'A0002'"
    )
    assert '"WeightGrams":-5' in raw.replace(" ", "") and extracted_at < quarantined_at
    # What is still refused is in quarantine as it was, only noted under the present contract.
    still = query(
        "select distinct record_id, extraction_id, sequence, quarantined_at "
        "from landing.quarantine where record_id = 'A0003'"
    )
    assert still == [("A0003", first.extraction_id, 2, quarantined_at)]

    third = load(wms, source, settings, FakeClock(LATER + timedelta(days=1)))
    assert all(report.notices == () for report in third.entities)
    assert len(query(LANDED, first.extraction_id)) == 3


def test_a_row_is_judged_by_the_clock_of_its_time(settings, wms, query, tmp_path: Path):
    """What was in the future when it was told stays so, though that time has come since."""
    tomorrow = int((START + timedelta(hours=12)).timestamp() * 1000)
    documents = {"items": [wms_item(1, UpdatedMs=tomorrow)]}
    source = FakeSource(wms, documents)
    load(wms, source, settings, FakeClock())
    allow_negative_weights(tmp_path)
    load(wms, source, settings, FakeClock(LATER))
    assert query("select distinct reason_code from landing.quarantine") == [("future_time",)]
    assert query("select count(*) from landing.demo_wms__items") == [(0,)]


def test_what_no_contract_can_help_is_left_alone(
    settings, wms, documents, query, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    source = FakeSource(wms, documents)
    refused = Record("A0009", {"sku": "A0009"}, "{}", problem="no document of ours")
    in_file = Record("A0010", {"sku": "A0010"}, "{}", container="items.csv")
    monkeypatch.setattr(
        source._readers["items"], "records", lambda _: [refused, in_file], raising=True
    )
    load(wms, source, settings, FakeClock())
    before = query("select count(*) from landing.quarantine")
    allow_negative_weights(tmp_path)
    report = load(wms, source, settings, FakeClock(LATER))
    assert all(entity.notices == () for entity in report.entities)
    assert query("select count(*) from landing.quarantine") == before


def test_it_needs_nothing_of_the_source(settings, wms, documents, query, tmp_path: Path):
    source = FakeSource(wms, documents)
    first = load(wms, source, settings, FakeClock())
    allow_negative_weights(tmp_path)
    source.failures["items"] = (4, SourceError("timeout", "no answer"))
    assert not load(wms, source, settings, FakeClock(LATER)).complete
    assert ("A0002", 1, -5) in query(LANDED, first.extraction_id)
