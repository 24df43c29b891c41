"""Records that are told again as they landed last: which land all the same, and which do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes import START, FakeClock, FakeSource, wms_documents, wms_item, wms_system

from connectors.base import Page, SourceError
from ingestion.extract import StartingPoint, extract_system
from ingestion.load import land, load_system
from ingestion.warehouse import warehouse
from registry.contracts import CONTRACTS_FOLDER, load_contracts, read_contract
from registry.errors import ConfigurationError

VERSIONS = (
    "select x.run_id, landed.case_pack from landing.demo_wms__items as landed "
    "join landing.extractions as x on landed._extraction_id = x.extraction_id "
    "and x.entity = 'items' where landed._record_id = ? order by x.load_order, landed._sequence"
)


class Whole(FakeSource):
    """Tells all of its documents in each pass, as what can't say what changed."""

    def pages(self, entity: str, cursor: str | None) -> Iterator[Page]:
        return super().pages(entity, None)

    def change(self, number: int, **changes: Any) -> None:
        self.documents["items"][number - 1] = wms_item(number, **changes)


class Swept(Whole):
    swept = frozenset({"items"})
    hidden: frozenset[str] = frozenset()

    def keys(self, entity: str) -> Iterator[list[str]]:
        yield [one["Sku"] for one in self.documents[entity] if one["Sku"] not in self.hidden]


def write_contract(folder: Path, changes: dict[str, str]) -> Path:
    """The contract of items as an installation has it beside its systems file."""
    path = folder / "contracts" / "demo_wms" / "items.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = (CONTRACTS_FOLDER / "demo_wms" / "items.yaml").read_text(encoding="utf-8")
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after, 1)
    path.write_text(text, encoding="utf-8")
    load_contracts.cache_clear()
    return path


SNAPSHOT = "      - property: snapshot\n        value: false\n"
CHANGES_ONLY = "      - property: changesOnly\n        value: true\n"


@pytest.fixture(autouse=True)
def changes_only(tmp_path: Path) -> Iterator[None]:
    """Items land changes only; the inventory is a snapshot."""
    write_contract(tmp_path, {SNAPSHOT: SNAPSHOT + CHANGES_ONLY})
    yield
    load_contracts.cache_clear()


@pytest.fixture
def source(wms) -> Whole:
    return Whole(wms, wms_documents())


@pytest.fixture
def load(settings, wms, clock):
    """Read and land; what the report says of the items."""

    def loaded(source: FakeSource, run: str) -> Any:
        report = load_system(source.system, source, settings, run, clock)
        return next(entity for entity in report.entities if entity.entity == "items")

    return loaded


def test_what_is_told_again_unchanged_does_not_land_and_is_counted(source, load, query) -> None:
    first, second = load(source, "run-1"), load(source, "run-2")
    assert (first.records, first.unchanged) == (5, 0)
    assert (second.records, second.unchanged, second.complete) == (0, 5, True)
    assert query("select count(*) from landing.demo_wms__items") == [(5,)]
    logged = query(
        "select records, unchanged from landing.extractions where entity = 'items' "
        "order by load_order"
    )
    assert logged == [(5, 0), (0, 5)]


def test_a_snapshot_lands_whole_each_time(source, load, query) -> None:
    for run in ("run-1", "run-2"):
        load(source, run)
    assert query("select count(*) from landing.demo_wms__inventory") == [(6,)]


def test_a_change_lands_and_so_does_the_change_back(source, load, query) -> None:
    load(source, "run-1")
    source.change(3, CasePack=10)
    changed = load(source, "run-2")
    assert (changed.records, changed.unchanged) == (1, 4)
    load(source, "run-3")
    source.change(3)
    load(source, "run-4")
    assert query(VERSIONS, "A0003") == [("run-1", 12), ("run-2", 10), ("run-4", 12)]


def test_a_record_that_one_reading_tells_twice_lands_as_it_was_told(source, load, query) -> None:
    """It ends as it had landed, and yet something else was told in between: in one batch, and in
    two of them."""
    load(source, "run-1")
    source.documents["items"] += [wms_item(1, CasePack=10), wms_item(1)]
    load(source, "run-2")
    assert query(VERSIONS, "A0001") == [
        ("run-1", 12),
        ("run-2", 12),
        ("run-2", 10),
        ("run-2", 12),
    ]


def test_the_batches_of_one_reading_know_of_each_other(source, load, query, monkeypatch) -> None:
    monkeypatch.setattr("ingestion.extract.BATCH_ROWS", 1)
    load(source, "run-1")
    source.documents["items"] = [
        wms_item(1, CasePack=10),
        wms_item(2),
        wms_item(1),
        wms_item(2),
    ]
    load(source, "run-2")
    assert query(VERSIONS, "A0001") == [("run-1", 12), ("run-2", 10), ("run-2", 12)]
    assert query(VERSIONS, "A0002") == [("run-1", 12)]


def test_what_landed_last_is_not_what_a_clock_calls_newest(source, settings, wms, query) -> None:
    source.change(3, CasePack=10)
    load_system(wms, source, settings, "ahead", FakeClock(START + timedelta(days=1)))
    source.change(3)
    load_system(wms, source, settings, "set right", FakeClock())
    load_system(wms, source, settings, "again", FakeClock(START + timedelta(minutes=5)))
    source.change(3, CasePack=10)
    load_system(wms, source, settings, "changed", FakeClock(START + timedelta(minutes=9)))
    told = query(VERSIONS, "A0003")
    assert told == [("ahead", 10), ("set right", 12), ("changed", 10)]


def test_the_good_version_after_a_refused_one_lands_once(source, load, query) -> None:
    """It is as it was before the refused one, and it settles that."""
    load(source, "run-1")
    source.change(3, WeightGrams=-5)
    assert load(source, "run-2").quarantined == 1
    source.change(3)
    for run in ("run-3", "run-4"):
        load(source, run)
    assert query(VERSIONS, "A0003") == [("run-1", 12), ("run-3", 12)]


def test_a_refused_row_of_the_same_reading_leaves_the_good_one(source, load, query) -> None:
    load(source, "run-1")
    source.documents["items"].insert(0, wms_item(3, WeightGrams=-5))
    load(source, "run-2")
    assert query(VERSIONS, "A0003") == [("run-1", 12), ("run-2", 12)]


def test_a_record_that_a_sweep_missed_lands_when_it_is_told_again(settings, clock, query) -> None:
    system = wms_system().model_copy(update={"sweep_seconds": 0})
    source = Swept(system, wms_documents())
    for run, hidden in (("run-1", ()), ("run-2", ("A0003",)), ("run-3", ()), ("run-4", ())):
        source.hidden = frozenset(hidden)
        load_system(system, source, settings, run, clock)
    # Missed by the sweep that came after the second reading had told it.
    assert query(VERSIONS, "A0003") == [("run-1", 12), ("run-3", 12)]
    assert query(VERSIONS, "A0004") == [("run-1", 12)]


def test_what_was_read_and_not_landed_yet_is_no_last_version(
    source, settings, wms, clock, query, load
) -> None:
    """The process died between the spool and the warehouse: what it had read lands first, and what
    is read then lands whole after it."""
    load(source, "run-1")
    source.change(3, CasePack=10)
    extract_system(wms, source, settings, "died", clock)
    source.change(3)
    report = load(source, "run-3")
    assert (report.records, report.unchanged) == (5, 0)
    assert query(VERSIONS, "A0003") == [("run-1", 12), ("died", 10), ("run-3", 12)]
    assert load(source, "run-4").unchanged == 5


def test_rows_read_before_a_failure_count_as_landed(source, load, query) -> None:
    source.failures["items"] = (4, SourceError("bad_page", "wms: the page is cut"))
    assert load(source, "run-1").records == 4
    source.failures.clear()
    report = load(source, "run-2")
    assert (report.records, report.unchanged) == (1, 4)


@pytest.fixture
def whole_contract(tmp_path: Path) -> None:
    """Items of a contract that says nothing of changes."""
    write_contract(tmp_path, {})


class KeepsNoPlace(Whole):
    """Tells the whole history each time and no cursor, as a carrier that is asked does."""

    def pages(self, entity: str, cursor: str | None) -> Iterator[Page]:
        for page in super().pages(entity, cursor):
            yield replace(page, cursor=None)


def test_of_what_has_no_place_to_go_on_from_only_changes_land(
    whole_contract, wms, load, query
) -> None:
    source = KeepsNoPlace(wms, wms_documents())
    load(source, "run-1")
    source.change(3, CasePack=10)
    report = load(source, "run-2")
    assert (report.records, report.unchanged) == (1, 4)
    assert query(VERSIONS, "A0003") == [("run-1", 12), ("run-2", 10)]
    # A snapshot is news each time.
    assert query("select count(*) from landing.demo_wms__inventory") == [(6,)]


@pytest.mark.parametrize("read_before", [0, 2])
def test_a_reading_that_breaks_off_again_and_again_lands_its_beginning_once(
    whole_contract, wms, load, query, read_before
) -> None:
    source = FakeSource(wms, wms_documents(items=read_before))
    load(source, "run-0")
    source.documents = wms_documents(items=5)
    source.failures["items"] = (4, SourceError("server_error", "wms failed (503)"))
    for run in ("run-1", "run-2", "run-3"):
        assert not load(source, run).complete
    assert query("select count(*) from landing.demo_wms__items") == [(4,)]
    source.failures.clear()
    assert (load(source, "run-4").records, load(source, "run-5").records) == (1, 0)


def test_a_contract_with_another_column_lands_all_once_more(
    source, load, query, tmp_path: Path
) -> None:
    load(source, "run-1")
    column = (
        "      - name: note\n        description: A note.\n        logicalType: string\n"
        "        physicalType: VARCHAR\n"
    )
    properties = "    properties:\n"
    write_contract(tmp_path, {SNAPSHOT: SNAPSHOT + CHANGES_ONLY, properties: properties + column})
    assert load(source, "run-2").records == 5
    assert load(source, "run-3").unchanged == 5


def test_an_installation_that_reads_into_an_older_log_goes_on(
    source, load, query, settings
) -> None:
    load(source, "run-1")
    with warehouse(settings) as connection:
        connection.execute("update raw_wms.extractions set load_order = null, unchanged = null")
    assert load(source, "run-2").unchanged == 5


def test_a_snapshot_can_not_land_changes_only(tmp_path: Path) -> None:
    changes = {SNAPSHOT: SNAPSHOT.replace("false", "true") + CHANGES_ONLY}
    with pytest.raises(ConfigurationError, match="changesOnly is not for a snapshot"):
        read_contract(write_contract(tmp_path, changes))


def test_with_cursors_alone_all_that_is_told_lands(settings, source, wms, clock) -> None:
    """Nothing is known then of what the warehouse holds."""
    for run in ("run-1", "run-2"):
        extracted = extract_system(wms, source, settings, run, clock, StartingPoint({}))
        with warehouse(settings) as connection:
            land(extracted, settings, connection)
    with warehouse(settings) as connection:
        counted = connection.execute("select count(*) from raw_wms.items").fetchall()
    assert counted == [(10,)]
