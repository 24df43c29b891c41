"""Control totals of dropped files: what they promise is held, or nothing of the file is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.base import SourceError
from connectors.files.source import FilesSource
from registry.systems import System

HEADER = "KIND;PO;Line;Item;Qty\n"
ROWS = "L;P1;1;Bolt;1,500\nL;P2;1;Nut;-0,250\n"
MAPPING = """
entity: purchase_order_lines
files: "*.csv"
delimiter: ";"
decimal_mark: ","
record_id: "{PO}/{Line}"
trailer: {column: KIND, value: T, rows: PO, totals: {Qty: Qty}}
columns:
  po_number: {from: PO}
  line_id: {from: Line}
  item: {from: Item}
  quantity: {from: Qty}
"""


class Drops:
    """A folder of files with trailers."""

    def __init__(self, path: Path) -> None:
        (path / "orders.mapping.yaml").write_text(MAPPING)
        self.folder = path / "drops"
        self.folder.mkdir()
        self.system = System(
            name="old_erp",
            role="supplier",
            connector="files",
            base_url="drops",
            options={"mappings": ["orders.mapping.yaml"]},
            folder=path,
        )

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def read(self, cursor: str | None = None) -> tuple[list[str], str | None, str]:
        """Record ids, the last cursor, and what was refused."""
        told: list[str] = []
        try:
            for page in FilesSource(self.system).pages("purchase_order_lines", cursor):
                told += [record.record_id for record in page.records]
                cursor = page.cursor
        except SourceError as error:
            return told, cursor, str(error)
        return told, cursor, ""


@pytest.fixture
def drops(tmp_path: Path) -> Drops:
    return Drops(tmp_path)


def test_a_file_that_holds_what_its_trailer_says_is_told_without_it(drops: Drops) -> None:
    drops.write("a.csv", HEADER + ROWS + "T;2;;;1,250\n")
    assert drops.read()[0] == ["P1/1", "P2/1"]
    drops.write("b.csv", HEADER + "T;0;;;0,000\n")
    assert drops.read(drops.read()[1])[::2] == ([], "")


@pytest.mark.parametrize(
    ("ending", "problem"),
    [
        ("", "does not end in its trailer"),
        ("T;3;;;1,250\n", "holds 2 rows, and its trailer says 3"),
        ("T;2;;;1,260\n", "holds 1.250 in Qty, and its trailer says 1,260"),
        ("T;;;;1,250\n", "its trailer says nothing"),
        ("T;2;;;1,250\nL;P3;1;Nut;1,000\n", "does not end in its trailer"),
    ],
)
def test_of_a_file_that_does_not_nothing_is_told_until_it_is_sent_again(
    drops: Drops, ending: str, problem: str
) -> None:
    drops.write("a.csv", HEADER + ROWS + ending)
    drops.write("b.csv", HEADER + "L;P9;1;Nut;1,000\nT;1;;;1,000\n")
    told, cursor, refused = drops.read()
    assert told == ["P9/1"]
    assert "a.csv" in refused and problem in refused
    assert "a.csv" in drops.read(cursor)[2]
    drops.write("a.csv", HEADER + ROWS + "T;2;;;1,250\n")
    assert drops.read(cursor)[::2] == (["P1/1", "P2/1"], "")


def test_a_row_that_cannot_be_split_counts_as_a_row(drops: Drops) -> None:
    drops.write("a.csv", HEADER + "L;P1;1;Bolt;1,500\nL;P2;1;Nut;2;3\nT;2;;;1,500\n")
    assert drops.read()[0] == ["P1/1", "a.csv#2"]
