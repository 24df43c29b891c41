"""Dropped files through ingestion: nothing lost, dirt in quarantine, kills survived."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from files_loading import ROOT, load, load_in_process, rows

from registry.contracts import contract_of
from registry.settings import Settings, load_settings

HEADER = "PO,Line,Vendor,Item,Qty,Due\n"
SYSTEMS = """
[[systems]]
name = "shop"
role = "supplier"
connector = "files"
base_url = "drops"
[systems.options]
mappings = ["orders.mapping.yaml"]
"""
MAPPING = """
entity: purchase_order_lines
files: "*.csv"
record_id: "{PO}/{Line}"
reference: "{PO}/{Line}"
columns:
  po_number: {from: PO}
  line_id: {from: Line}
  vendor: {from: Vendor}
  item: {from: Item}
  quantity: {from: Qty}
  currency: {value: EUR}
  promised_on: {from: Due}
"""
LANDED = "select _record_id from landing.files__purchase_order_lines order by all"
VERSIONS = LANDED.replace("_record_id", "distinct _record_id, _content_hash", 1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "systems.toml").write_text(SYSTEMS)
    (tmp_path / "orders.mapping.yaml").write_text(MAPPING)
    (tmp_path / "drops").mkdir()
    return load_settings(tmp_path / "home", tmp_path / "systems.toml")


def write(settings: Settings, name: str, text: str, mode: str = "w") -> None:
    with (settings.systems_file.parent / "drops" / name).open(mode) as handle:
        handle.write(text)


def row(number: int, quantity: str = "1", due: str = "2026-02-01") -> str:
    return f"P{number},1,Acme,Bolt,{quantity},{due}\n"


def test_grown_files_land_their_new_rows_once(settings: Settings) -> None:
    write(settings, "a.csv", HEADER + row(1) + row(2) + "P3,1,Ac")
    load(settings)
    write(settings, "a.csv", "me,Bolt,1,2026-02-01\n", mode="a")
    write(settings, "b.csv", HEADER + row(4))
    load(settings)
    load(settings)
    assert rows(settings, LANDED) == [("P1/1",), ("P2/1",), ("P3/1",), ("P4/1",)]
    told = rows(settings, "select records, notices from landing.extractions order by started_at")
    assert [records for records, _ in told] == [2, 2, 0]
    assert told[0][1] == (
        "a.csv ends in an unfinished record (7 bytes): it waits for the next pass"
    )


def test_rows_that_break_the_contract_are_quarantined_whole_and_counted(settings: Settings) -> None:
    write(
        settings,
        "a.csv",
        HEADER + row(1) + row(2, "many") + row(3, due="soon") + "P4,1\n" + ",1,Acme,Bolt,1,\n",
    )
    load(settings)
    assert rows(settings, LANDED) == [("P1/1",)]
    quarantined = rows(
        settings,
        "select record_id, reference, reason_code, field from landing.quarantine order by all",
    )
    assert quarantined == [
        ("P2/1", "P2/1", "wrong_type", "quantity"),
        ("P3/1", "P3/1", "wrong_type", "promised_on"),
        ("a.csv#4", None, "missing_column", "po_number"),
        ("a.csv#5", None, "missing_value", "po_number"),
    ]


def test_a_bad_file_holds_the_watermark_but_not_the_good_files(settings: Settings) -> None:
    write(settings, "a.csv", HEADER + row(1))
    write(settings, "bad.csv", "PO,Line\nP9,1\n")
    reports = [load(settings)[0].entities[0] for _ in range(2)]
    assert [report.complete for report in reports] == [False, False]
    assert reports[0].error == reports[1].error
    assert reports[0].error is not None
    assert reports[0].error.startswith("bad.csv lacks the columns")
    # The good file was read once, not once a pass for as long as the other one stays bad.
    assert rows(settings, LANDED) == [("P1/1",)]
    write(settings, "bad.csv", HEADER + row(2))
    assert load(settings)[0].entities[0].complete
    assert rows(settings, LANDED) == [("P1/1",), ("P2/1",)]


def test_a_file_that_is_sent_again_late_does_not_become_the_newest_word(settings: Settings) -> None:
    write(settings, "day1.csv", HEADER.replace("Qty", "Quantity") + row(1, "1"))
    write(settings, "day2.csv", HEADER + row(1, "2"))
    load(settings)
    write(settings, "day1.csv", HEADER + row(1, "1"))
    load(settings)
    newest = """
        select landed.quantity
        from landing.files__purchase_order_lines as landed
        inner join landing.extractions as log on landed._extraction_id = log.extraction_id
        order by log.load_order desc, landed._sequence desc
        limit 1
    """
    assert rows(settings, newest) == [(2,)]


def test_a_repaired_file_and_one_taken_away_land_as_withdrawn(settings: Settings) -> None:
    write(settings, "a.csv", HEADER + "P1,1\n")
    write(settings, "b.csv", HEADER + row(2, "many"))
    write(settings, "c.csv", HEADER + row(3, "many"))
    load(settings)
    write(settings, "a.csv", HEADER + row(1))
    (settings.systems_file.parent / "drops" / "b.csv").unlink()
    load(settings)
    waiting = rows(
        settings,
        "select record_id from landing.quarantine as refused where not exists ("
        "select 1 from landing.withdrawn_containers as withdrawn "
        "where withdrawn.container = refused.container "
        "and withdrawn.extraction_id > refused.extraction_id)",
    )
    assert waiting == [("P3/1",)]


@pytest.mark.parametrize(
    "crash_at",
    [
        "ingestion.after_first_page",
        "ingestion.before_land",
        "ingestion.after_normalize",
        "ingestion.after_land",
    ],
)
def test_a_kill_loses_no_row_and_makes_no_version(settings: Settings, crash_at: str) -> None:
    write(settings, "a.csv", HEADER + row(1) + row(2))
    assert load_in_process(settings, crash_at) == -signal.SIGKILL
    write(settings, "a.csv", row(3), mode="a")
    load(settings)
    load(settings)
    # Two extractions may tell the same row; only another content would be another version.
    versions = rows(settings, VERSIONS)
    assert [record_id for record_id, _ in versions] == ["P1/1", "P2/1", "P3/1"]


def test_every_column_that_says_how_it_was_read_is_counted() -> None:
    folder = ROOT / "dbt_project" / "models" / "intermediate"
    counted = (folder / "int_mapping_methods__files.sql").read_text()
    traced = [
        column.name.removesuffix("_method")
        for column in contract_of("files", "purchase_order_lines").columns
        if column.name.endswith("_method")
    ]
    assert [name for name in traced if f"'{name}'" not in counted] == []
