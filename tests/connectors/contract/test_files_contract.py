"""files keeps the contract, over a folder in which a supplier drops CSV files."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from contract_subject import FolderSubject
from contract_suite import CursorContract, FolderContract

from registry.systems import System

HEADER = "PO,Line,Vendor,Item,Qty,Due\n"
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


class Drops(FolderSubject):
    connector = "files"
    entities = ("purchase_order_lines",)
    moving = entities
    damages = ("file", "row", "identity", "value")
    base_url = "drops"

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / self.base_url
        self.folder.mkdir()
        (root / "orders.mapping.yaml").write_text(MAPPING)
        self._number = 0
        self._orders: list[str] = []
        self.make(self.entities[0], 1)

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Self]:
        yield cls(folder)

    def system(self, **changes: Any) -> System:
        settings: dict[str, Any] = {
            "name": "shop",
            "role": "supplier",
            "connector": "files",
            "base_url": self.base_url,
            "options": {"mappings": ["orders.mapping.yaml"]},
            "folder": self.root,
        }
        return System(**{**settings, **changes})

    def make(self, entity: str, count: int) -> list[str]:
        """A file each; of several, the first is a new word on an older order, in the last file."""
        made = []
        if count > 1:
            made.append(self._append(self._orders[0]))
        for _ in range(count - len(made)):
            order = self._new_order()
            self._last = self.folder / f"{order}.csv"
            self._last.write_text(HEADER + self._row(order))
            made.append(f"{order}/1")
        return made

    def grow(self, entity: str) -> str:
        return self._append(self._new_order())

    def spoil(self, entity: str, damage: str) -> Path:
        order = self._new_order()
        path = self.folder / f"000-{order}.csv"
        path.write_text(
            {
                "file": f"PO,Line\n{order},1\n",
                "row": f"{HEADER}{order},1\n",
                "identity": f"{HEADER},1,Acme,Bolt,1,2026-02-01\n",
                "value": f"{HEADER}{order},1,Acme,Bolt,many,2026-02-01\n",
            }[damage]
        )
        return path

    def mend(self, entity: str, path: Path) -> list[str]:
        order = path.stem.removeprefix("000-")
        path.write_text(HEADER + self._row(order))
        return [f"{order}/1"]

    def _append(self, order: str) -> str:
        with self._last.open("a") as handle:
            handle.write(self._row(order))
        return f"{order}/1"

    def _new_order(self) -> str:
        self._number += 1
        self._orders.append(f"P{self._number:06}")
        return self._orders[-1]

    def _row(self, order: str) -> str:
        return f"{order},1,Acme,Bolt,{uuid.uuid4().int % 1_000_000},2026-02-01\n"


class TestDrops(FolderContract, CursorContract):
    subject_class = Drops
