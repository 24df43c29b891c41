"""The files connector: what is read once, what again, what waits, and what is refused."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.base import Page, SourceError
from connectors.files import client
from connectors.files.source import FilesSource
from registry.contracts import CONTRACTS_FOLDER, load_contracts
from registry.errors import ConfigurationError
from registry.systems import System

ENTITY = "purchase_order_lines"
HEADER = "PO,Line,Vendor,Item,Qty,Due\n"
MAPPING = """
entity: purchase_order_lines
files: "{files}"
format: {format}
record_id: "{{PO}}/{{Line}}"
reference: "{{PO}}/{{Line}}"
columns:
  po_number: {{from: PO}}
  line_id: {{from: Line}}
  vendor: {{from: Vendor}}
  item: {{from: Item}}
  quantity: {{from: Qty}}
  currency: {{value: EUR}}
  promised_on: {{from: Due, formats: [D.M.YYYY, YYYY-MM-DD], keep: [open]}}
{more}
"""


class Folder:
    """A folder of drops with its mapping, and a source on it."""

    def __init__(
        self, path: Path, format: str = "csv", more: str = "", files: str | None = None
    ) -> None:
        self.path = path
        mapping = MAPPING.format(files=files or f"*.{format}", format=format, more=more)
        (path / "orders.mapping.yaml").write_text(mapping)
        self.system = System(
            name="shop",
            role="supplier",
            connector="files",
            base_url="drops",
            options={"mappings": ["orders.mapping.yaml"]},
            folder=path,
        )
        self.drops = path / "drops"
        self.drops.mkdir()
        self.source = FilesSource(self.system)

    def page_after_each_batch(self) -> None:
        """For tests that cut a reading short wherever it can be: else small files share a page."""
        self.system = self.system.model_copy(update={"page_size": 1})
        self.source = FilesSource(self.system)

    def write(self, name: str, text: str | bytes) -> Path:
        file = self.drops / name
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    def append(self, name: str, text: str) -> None:
        with (self.drops / name).open("ab") as handle:
            handle.write(text.encode())

    def read(self, cursor: str | None = None) -> tuple[list[str], str | None]:
        """Record ids and the cursor after them, by a source that starts afresh."""
        self.source = FilesSource(self.system)
        pages = list(self.source.pages(ENTITY, cursor))
        return ids(pages), pages[-1].cursor


def ids(pages: list[Page]) -> list[str]:
    return [record.record_id for page in pages for record in page.records]


def row(number: int, due: str = "1.2.2026") -> str:
    return f"P{number},1,Acme,Bolt,{number},{due}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_new_file_is_read_and_an_unchanged_one_is_not(folder: Folder) -> None:
    folder.write("a.csv", HEADER + row(1) + row(2))
    first, cursor = folder.read()
    folder.write("b.csv", HEADER + row(3))
    second, cursor = folder.read(cursor)
    third, _ = folder.read(cursor)
    assert (first, second, third) == (["P1/1", "P2/1"], ["P3/1"], [])


def test_an_unchanged_file_is_not_even_opened(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("a.csv", HEADER + row(1))
    _, cursor = folder.read()
    monkeypatch.setattr(client, "_digest", lambda *_: pytest.fail("the file was opened"))
    assert folder.read(cursor)[0] == []


def test_a_file_that_was_only_touched_yields_nothing(folder: Folder) -> None:
    file = folder.write("a.csv", HEADER + row(1))
    _, cursor = folder.read()
    os.utime(file, ns=(1, 1))
    assert folder.read(cursor)[0] == []


@pytest.mark.parametrize(
    ("pattern", "shut"), [("*.csv", "."), ("sub/*.csv", "sub"), ("*/*.csv", "sub")]
)
def test_a_folder_that_may_not_be_listed_is_no_quiet_day(
    tmp_path: Path, pattern: str, shut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path, files=pattern)
    (folder.drops / "sub").mkdir()
    folder.write("sub/a.csv", HEADER + row(1))
    folder.write("a.csv", HEADER + row(1))
    _, cursor = folder.read()
    list_folder = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path) == folder.drops / shut:
            raise PermissionError(13, "Permission denied")
        return list_folder(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(SourceError, match="Permission denied; let the user"):
        folder.read(cursor)


def test_a_grown_file_yields_its_new_rows_only(folder: Folder) -> None:
    folder.write("a.csv", HEADER + row(1))
    _, cursor = folder.read()
    folder.append("a.csv", row(2) + row(3))
    new, cursor = folder.read(cursor)
    assert new == ["P2/1", "P3/1"]
    assert json.loads(cursor or "")["files"]["a.csv"]["rows"] == 3
    assert folder.source.notices == []


def test_a_rewritten_file_is_read_whole_with_a_notice(folder: Folder) -> None:
    folder.write("a.csv", HEADER + row(1) + row(2))
    _, cursor = folder.read()
    folder.write("a.csv", HEADER + row(7) + row(2) + row(3))
    again, _ = folder.read(cursor)
    assert again == ["P7/1", "P2/1", "P3/1"]
    assert folder.source.notices == ["a.csv was rewritten: all of it is read again"]


def test_a_rewrite_of_equal_length_and_time_is_seen(folder: Folder) -> None:
    file = folder.write("a.csv", HEADER + row(1))
    times = file.stat()
    _, cursor = folder.read()
    folder.write("a.csv", HEADER + row(2))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert folder.read(cursor)[0] == ["P2/1"]


def test_a_half_written_last_line_waits(folder: Folder) -> None:
    folder.write("a.csv", HEADER + row(1) + "P2,1,Ac")
    first, cursor = folder.read()
    assert first == ["P1/1"]
    assert "7 bytes" in folder.source.notices[0]
    folder.append("a.csv", "me,Bolt,2,1.2.2026\n")
    assert folder.read(cursor)[0] == ["P2/1"]


@pytest.mark.parametrize("beginning", [HEADER + row(1) + "P2,1,Ac", HEADER + 'P2,1,"Ac\n', "PO,Li"])
def test_what_is_still_half_written_a_pass_later_is_named_until_it_is_whole(
    folder: Folder, beginning: str
) -> None:
    """It had waited for ever, with one notice: a row that nobody ever saw."""
    folder.write("a.csv", beginning)
    folder.write("b.csv", HEADER + row(3))
    _, cursor = folder.read()
    for _ in range(2):
        pages = folder.source.pages(ENTITY, cursor)
        with pytest.raises(
            SourceError, match=r"a\.csv ends in half a record.*final_newline"
        ) as told:
            for page in pages:
                cursor = page.cursor
        assert told.value.kind == "cut"
    folder.write("a.csv", HEADER + row(1) + row(2))
    found, cursor = folder.read(cursor)
    assert "P2/1" in found
    assert folder.read(cursor)[0] == []


def test_the_end_of_file_that_old_systems_write_is_no_record(folder: Folder) -> None:
    folder.write("a.csv", HEADER + row(1) + "\x1a")
    first, cursor = folder.read()
    assert first == ["P1/1"] and folder.source.notices == []
    assert folder.read(cursor)[0] == []


def test_half_a_header_waits(folder: Folder) -> None:
    folder.write("a.csv", "PO,Li")
    first, cursor = folder.read()
    folder.write("a.csv", HEADER + row(1))
    assert (first, folder.read(cursor)[0]) == ([], ["P1/1"])


def test_a_line_feed_inside_quotation_marks_does_not_end_a_record(folder: Folder) -> None:
    folder.write("a.csv", HEADER + 'P1,1,"Acme\nof ""Berlin""",Bolt,1,1.2.2026\nP2,1,"Ac\n')
    source = folder.source
    pages = list(source.pages(ENTITY, None))
    assert ids(pages) == ["P1/1"]
    assert pages[0].records[0].fields["vendor"] == 'Acme\nof "Berlin"'
    folder.append("a.csv", 'me",Bolt,2,1.2.2026\n')
    assert folder.read(pages[-1].cursor)[0] == ["P2/1"]


def test_a_last_line_without_line_feed_counts_where_the_mapping_says_so(tmp_path: Path) -> None:
    folder = Folder(tmp_path, more="final_newline: optional")
    folder.write("a.csv", HEADER + row(1) + row(2).rstrip("\n"))
    assert folder.read()[0] == ["P1/1", "P2/1"]


def test_byte_order_mark_carriage_returns_and_semicolons(tmp_path: Path) -> None:
    folder = Folder(tmp_path, more='delimiter: ";"\ndecimal_mark: ","')
    text = 'PO;Line;Vendor;Item;Qty;Due\r\nP1;1;Äcme;Bolt;"1.234,5";1.2.2026\r\n'
    folder.write("a.csv", b"\xef\xbb\xbf" + text.encode())
    record = next(folder.source.pages(ENTITY, None)).records[0]
    assert record.record_id == "P1/1"
    assert record.fields["vendor"] == "Äcme"
    assert record.fields["quantity"] == "1234.5"
    assert record.fields["promised_on"] == "2026-02-01"


def test_another_encoding(tmp_path: Path) -> None:
    folder = Folder(tmp_path, more="encoding: cp1252")
    folder.write("a.csv", (HEADER + "P1,1,Šäfer €,Bolt,1,open\n").encode("cp1252"))
    record = next(folder.source.pages(ENTITY, None)).records[0]
    assert record.fields["vendor"] == "Šäfer €"


def test_the_wrong_encoding_is_an_error_that_says_what_to_set(folder: Folder) -> None:
    folder.write("a.csv", (HEADER + row(1) + "P2,1,Šäfer,Bolt,1,open\n").encode("cp1252"))
    with pytest.raises(SourceError, match=r"a\.csv: byte 0x8a near row 2 is not utf-8"):
        folder.read()


def test_newline_delimited_json(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "ndjson")
    first = {"PO": "P1", "Line": 1, "Vendor": "Acme", "Item": {"sku": 7}, "Qty": 1.10}
    folder.write("a.ndjson", json.dumps(first) + "\nnot json\n[1]\n")
    pages = list(folder.source.pages(ENTITY, None))
    assert ids(pages) == ["P1/1", "a.ndjson#2", "a.ndjson#3"]
    fields = pages[0].records[0].fields
    assert fields["quantity"] == "1.1"
    assert fields["item"] == '{"sku": 7}'
    assert (fields["promised_on"], fields["promised_on_method"]) == (None, "blank")
    folder.append("a.ndjson", json.dumps({**first, "PO": "P2", "Due": "2026-02-01"}) + "\n")
    assert folder.read(pages[-1].cursor)[0] == ["P2/1"]


def test_parquet(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "parquet")
    table = pa.table(
        {
            "PO": ["P1", "P2"],
            "Line": pa.array([1, 2], pa.int32()),
            "Vendor": pa.array(["Acme", "Acme"]).dictionary_encode(),
            "Item": ["Bolt", None],
            "Qty": pa.array([1.1 + 2.2, 1e21]),
            "Due": pa.array([20485, None], pa.date32()),
        }
    )
    pq.write_table(table, folder.drops / "a.parquet")
    pages = list(folder.source.pages(ENTITY, None))
    first, second = pages[0].records
    assert [first.record_id, second.record_id] == ["P1/1", "P2/2"]
    assert (first.fields["quantity"], first.fields["promised_on"]) == ("3.3", "2026-02-01")
    assert second.fields["quantity"] == "1000000000000000000000"
    assert folder.read(pages[-1].cursor)[0] == []
    pq.write_table(table.slice(1), folder.drops / "a.parquet")
    assert folder.read(pages[-1].cursor)[0] == ["P2/2"]


def test_a_bad_file_does_not_keep_the_others_from_being_read(
    folder: Folder, tmp_path: Path
) -> None:
    (tmp_path / "p.mapping.yaml").write_text(
        MAPPING.format(files="*.parquet", format="parquet", more="")
    )
    folder.system = folder.system.model_copy(
        update={"options": {"mappings": ["p.mapping.yaml", "orders.mapping.yaml"]}}
    )
    folder.write("a.parquet", b"PAR1 cut short")
    folder.write("b.csv", "PO,Line\nP1,1\n")
    folder.write("c.csv", HEADER + row(1))
    pages: list[Page] = []
    with pytest.raises(SourceError) as raised:
        for page in FilesSource(folder.system).pages(ENTITY, None):
            pages.append(page)
    assert ids(pages) == ["P1/1"]
    message = str(raised.value)
    assert "a.parquet is no complete Parquet file" in message
    assert "b.csv lacks the columns ['Vendor', 'Item', 'Qty', 'Due']" in message
    assert raised.value.kind == "malformed"


def test_a_file_that_lost_its_content_is_an_error(folder: Folder) -> None:
    folder.write("a.csv", HEADER + row(1))
    _, cursor = folder.read()
    folder.write("a.csv", "")
    with pytest.raises(SourceError, match=r"a\.csv is empty, though 1 rows"):
        folder.read(cursor)


def test_an_emptied_folder_is_an_error_in_every_pass_and_no_quiet_day(folder: Folder) -> None:
    folder.write("a.csv", HEADER + row(1))
    _, cursor = folder.read()
    (folder.drops / "a.csv").unlink()
    for _ in range(2):
        with pytest.raises(SourceError, match="is the folder still mounted"):
            for page in FilesSource(folder.system).pages(ENTITY, cursor):
                assert page.withdrawn == ()
                cursor = page.cursor
    # Mounted again, it says nothing new.
    folder.write("a.csv", HEADER + row(1))
    assert folder.read(cursor)[0] == []


def test_what_a_file_said_is_withdrawn_when_all_of_it_is_told_anew_or_it_is_gone(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CHUNK_BYTES", 64)
    folder.page_after_each_batch()
    folder.write("a.csv", HEADER + row(1) + "P2,1\n" + row(3))
    folder.write("b.csv", HEADER + "P4,1\n")
    folder.write("c.csv", HEADER + row(5))
    first = list(folder.source.pages(ENTITY, None))
    assert {record.container for record in first[0].records} == {"a.csv"}
    folder.append("c.csv", row(6))
    folder.write("a.csv", HEADER + row(1) + row(2) + row(3) + row(7))
    (folder.drops / "b.csv").unlink()
    pages = list(FilesSource(folder.system).pages(ENTITY, first[-1].cursor))
    assert len(pages) > 3 and pages[0].withdrawn == ()
    # Cut after any page, the pass and the next one withdraw both, and each once.
    for number, page in enumerate(pages):
        rest = FilesSource(folder.system).pages(ENTITY, page.cursor)
        withdrawn = [name for each in (*pages[: number + 1], *rest) for name in each.withdrawn]
        assert sorted(withdrawn) == ["a.csv", "b.csv"]


@pytest.mark.parametrize("late", ["new", "grown", "rewritten"])
def test_a_file_with_a_later_name_has_the_later_word_even_if_it_was_read_before(
    folder: Folder, late: str
) -> None:
    if late != "new":
        folder.write("day1.csv", HEADER + row(8))
    folder.write("day2.csv", HEADER + row(1, "2.2.2026") + row(2) + row(3))
    folder.write("day3.csv", HEADER + row(4) + row(1, "3.3.2026"))
    _, cursor = folder.read()
    if late == "grown":
        folder.append("day1.csv", row(1, "1.1.2026"))
    else:
        folder.write("day1.csv", HEADER + row(1, "1.1.2026"))
    # Of what was read before, only what the late file speaks of; of what grew, all that is new.
    folder.append("day2.csv", row(5))
    folder.source = FilesSource(folder.system)
    pages = list(folder.source.pages(ENTITY, cursor))
    assert [
        (record.container, record.record_id, record.fields["promised_on"])
        for page in pages
        for record in page.records
    ] == [
        ("day1.csv", "P1/1", "2026-01-01"),
        ("day2.csv", "P1/1", "2026-02-02"),
        ("day2.csv", "P5/1", "2026-02-01"),
        ("day3.csv", "P1/1", "2026-03-03"),
    ]
    assert {name for page in pages for name in page.withdrawn} <= {"day1.csv"}
    assert folder.read(pages[-1].cursor)[0] == []


@pytest.mark.parametrize("fault", ["", "PO,Line\n"])
def test_a_later_word_that_cannot_be_read_is_told_when_it_can(folder: Folder, fault: str) -> None:
    good = HEADER + row(1) + row(2)
    folder.write("day2.csv", good)
    _, cursor = folder.read()
    folder.write("day1.csv", HEADER + row(1, "1.1.2026"))
    for _ in range(2):
        folder.write("day2.csv", fault)
        pages: list[Page] = []
        with pytest.raises(SourceError, match=r"day2\.csv"):
            for page in FilesSource(folder.system).pages(ENTITY, cursor):
                pages.append(page)
        cursor = pages[-1].cursor
    folder.write("day2.csv", good)
    assert folder.read(cursor)[0] == ["P1/1", "P2/1"]


def test_a_rewritten_file_that_breaks_off_is_not_told_anew(folder: Folder) -> None:
    folder.write("a.csv", HEADER + "P1,1\n")
    _, cursor = folder.read()
    folder.write("a.csv", (HEADER + "P1,1,Šäfer,Bolt,1,open\n").encode("cp1252"))
    with pytest.raises(SourceError, match="utf-8"):
        for page in FilesSource(folder.system).pages(ENTITY, cursor):
            assert page.withdrawn == ()
            cursor = page.cursor
    folder.write("a.csv", HEADER + row(1))
    *_, last = FilesSource(folder.system).pages(ENTITY, cursor)
    assert last.withdrawn == ("a.csv",)


@pytest.mark.parametrize("changed", ["mapping", "contract"])
def test_another_mapping_or_contract_tells_all_files_anew(
    folder: Folder, tmp_path: Path, changed: str
) -> None:
    folder.write("a.csv", HEADER + "P1,1\n")
    _, cursor = folder.read()
    if changed == "mapping":
        mapping = tmp_path / "orders.mapping.yaml"
        mapping.write_text(mapping.read_text().replace("EUR", "CHF"))
    else:
        shipped = CONTRACTS_FOLDER / "files" / "purchase_order_lines.yaml"
        own = tmp_path / "contracts" / "files" / "purchase_order_lines.yaml"
        own.parent.mkdir(parents=True)
        own.write_text(shipped.read_text().replace("minimum: 0", "minimum: 1"))
        load_contracts.cache_clear()  # as in a new process
    *_, last = FilesSource(folder.system).pages(ENTITY, cursor)
    assert last.withdrawn == ("a.csv",)


def test_a_row_that_cannot_be_split_becomes_a_record_for_quarantine(folder: Folder) -> None:
    folder.write("a.csv", HEADER + row(1) + "P2,1,Acme\n" + row(3))
    page = next(folder.source.pages(ENTITY, None))
    broken = {record.record_id: record for record in page.records}["a.csv#2"]
    assert len(page.records) == 3
    assert broken.fields == {}
    assert json.loads(broken.raw)["problem"] == "3 columns instead of 6"


def test_a_quotation_mark_that_never_closes_is_named(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_LONGEST_RECORD_BYTES", 100)
    folder.write("a.csv", HEADER + row(1) + 'P2,1,"Acme,Bolt,2,1.2.2026\n' + row(3) * 10)
    with pytest.raises(SourceError, match="opened after row 1 is never closed"):
        folder.read()


def test_chunks_are_cut_between_records_and_each_cursor_can_be_resumed(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CHUNK_BYTES", 64)
    folder.page_after_each_batch()
    folder.write("a.csv", HEADER + "".join(row(n) for n in range(1, 40)))
    pages = list(folder.source.pages(ENTITY, None))
    everything = ids(pages)
    assert everything == [f"P{n}/1" for n in range(1, 40)]
    for number in range(len(pages)):
        assert ids(pages[: number + 1]) + folder.read(pages[number].cursor)[0] == everything


def test_small_files_share_a_page(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cursor names every file of the folder: one for each of a thousand files took seconds."""
    folder.system = folder.system.model_copy(update={"page_size": 40})
    for number in range(100, 200):
        folder.write(f"{number}.csv", HEADER + row(number))
    pages = list(FilesSource(folder.system).pages(ENTITY, None))
    assert [len(page.records) for page in pages] == [40, 40, 20]
    # A page may be the last one that is taken: what comes after it is told by the next pass.
    assert folder.read(pages[0].cursor)[0] == [f"P{number}/1" for number in range(140, 200)]
    # What is large is told in parts as before.
    monkeypatch.setattr(client, "CHUNK_BYTES", 64)
    folder.write("200.csv", HEADER + "".join(row(n) for n in range(200, 330)))
    later = list(FilesSource(folder.system).pages(ENTITY, pages[-1].cursor))
    assert len(later) == 4 and ids(later) == [f"P{n}/1" for n in range(200, 330)]


def test_dirt_is_kept_mapped_or_passed_on_for_the_contract_to_refuse(folder: Folder) -> None:
    folder.write(
        "a.csv", HEADER + row(1, "open") + row(2, "") + row(3, "soon") + row(4, "2026-02-01")
    )
    records = next(folder.source.pages(ENTITY, None)).records
    columns = ("promised_on", "promised_on_source", "promised_on_method")
    assert [tuple(record.fields[name] for name in columns) for record in records] == [
        (None, "open", "kept"),
        (None, "", "blank"),
        ("soon", "soon", "refused"),
        ("2026-02-01", "2026-02-01", "YYYY-MM-DD"),
    ]


def test_an_unknown_code_is_kept_as_unmapped(tmp_path: Path) -> None:
    folder = Folder(tmp_path, more="  mode: {from: Carrier, codes: {LKW: truck}, keep: [offen]}")
    header = HEADER.replace("Due", "Due,Carrier")
    lines = "".join(
        f"P1,{n},Acme,Bolt,1,open,{code}\n" for n, code in enumerate(["LKW", "U-Boot", "offen"])
    )
    folder.write("a.csv", header + lines)
    records = next(folder.source.pages(ENTITY, None)).records
    columns = ("mode", "mode_source", "mode_method")
    assert [tuple(record.fields[name] for name in columns) for record in records] == [
        ("truck", "LKW", "mapped"),
        (None, "U-Boot", "unmapped"),
        (None, "offen", "kept"),
    ]


def test_a_reference_names_its_target(tmp_path: Path) -> None:
    folder = Folder(tmp_path, more="  weight_kg: {from: Kg, reference: 'see (?P<target>.+)'}")
    folder.write("a.csv", HEADER.replace("Due", "Due,Kg") + "P1,1,Acme,Bolt,1,open,see 7\n")
    fields = next(folder.source.pages(ENTITY, None)).records[0].fields
    assert fields["weight_kg"] is None
    assert fields["weight_kg_reference"] == "7"
    assert fields["weight_kg_method"] == "reference"


def test_a_changed_mapping_reads_everything_again(folder: Folder, tmp_path: Path) -> None:
    folder.write("a.csv", HEADER + row(1))
    _, cursor = folder.read()
    mapping = tmp_path / "orders.mapping.yaml"
    mapping.write_text(mapping.read_text().replace("EUR", "CHF"))
    assert folder.read(cursor)[0] == ["P1/1"]


def test_a_mapping_to_a_column_that_the_contract_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="fills colour, which its contract lacks"):
        Folder(tmp_path, more="  colour: {from: Colour}")


def test_every_wrong_setting_of_a_mapping_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Folder(
            tmp_path,
            more="  shipped_on: {from: A, formats: [YMD]}\n"
            "  mode: {from: B, reference: 'see (?P<target'}\nencoding: utf-16\n",
        )
    assert "'YMD' is no date format" in str(raised.value)
    assert "'see (?P<target' is no regular expression" in str(raised.value)
    assert "'utf-16' is not one of" in str(raised.value)


@pytest.mark.parametrize("pattern", ["/drops/*.csv", "../*.csv", ".", "orders/**.csv"])
def test_a_pattern_that_leads_nowhere_below_the_folder_is_named(
    tmp_path: Path, pattern: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"files: Value error, '{re.escape(pattern)}'"):
        Folder(tmp_path, files=pattern)


def test_a_mapping_that_is_not_utf_8_is_named(folder: Folder) -> None:
    mapping = folder.path / "orders.mapping.yaml"
    mapping.write_text(mapping.read_text() + "# größer\n", encoding="cp1252")
    with pytest.raises(ConfigurationError, match=r"orders\.mapping\.yaml is not UTF-8 .*save it"):
        FilesSource(folder.system)


def test_probing_reads_the_first_rows_and_names_what_is_wrong(folder: Folder) -> None:
    folder.source.probe()
    folder.write("a.csv", "PO,Line\n")
    with pytest.raises(SourceError, match=r"a\.csv lacks the columns"):
        folder.source.probe()
    folder.drops.rename(folder.path / "elsewhere")
    with pytest.raises(SourceError, match=r"no folder .*drops: create it or correct base_url"):
        folder.source.probe()


def test_an_unknown_entity_is_named(folder: Folder) -> None:
    with pytest.raises(SourceError, match="shop has no entity 'receipts'"):
        list(folder.source.pages("receipts", None))


def test_two_mappings_may_fill_one_entity(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "n.mapping.yaml").write_text(
        MAPPING.format(files="*.ndjson", format="ndjson", more="")
    )
    folder.system = folder.system.model_copy(
        update={"options": {"mappings": ["orders.mapping.yaml", "n.mapping.yaml"]}}
    )
    folder.write("a.csv", HEADER + row(1))
    first, cursor = folder.read()
    folder.write("b.ndjson", '{"PO": "P2", "Line": 1, "Vendor": "A", "Item": "B", "Qty": 1}\n')
    assert (first, folder.read(cursor)[0]) == (["P1/1"], ["P2/1"])


def test_one_record_can_be_read_by_its_fields(folder: Folder) -> None:
    folder.write("a.csv", HEADER + row(1) + row(2))
    folder.write("b.csv", HEADER + row(2, "3.3.2026"))
    found = folder.source.read_one(ENTITY, {"po_number": "P2"})
    assert [record.fields["promised_on"] for record in found] == ["2026-03-03"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,234.50", "1234.50"),
        (".5", "0.5"),
        ("-5.", "-5"),
        ("1,2", None),
        ("1e3", None),
        (".", None),
        ("12 kg", None),
    ],
)
def test_numbers_are_read_exactly_or_not_at_all(
    folder: Folder, text: str, number: str | None
) -> None:
    folder.write("a.csv", HEADER + f'P1,1,Acme,Bolt,"{text}",open\n')
    fields = next(folder.source.pages(ENTITY, None)).records[0].fields
    assert fields["quantity"] == (number or text)
