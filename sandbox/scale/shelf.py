"""The documents of one entity in their files, to be read from a key on or from a row on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class _Part:
    """One file of documents by ascending key; ``ends``: where each ends, in bytes."""

    path: Path
    ends: Any

    def read(self, start: int, stop: int) -> bytes:
        """Some documents, a line each."""
        begin = int(self.ends[start - 1]) if start else 0
        with self.path.open("rb") as handle:
            handle.seek(begin)
            return handle.read(int(self.ends[stop - 1]) - begin)


class Shelf:
    """The documents of one entity over all its parts, by key."""

    def __init__(self, folder: Path) -> None:
        self._parts: list[_Part] = []
        keys: list[Any] = []
        for path in sorted(folder.glob("part-*.ndjson")):
            ends, kept = np.load(path.with_suffix(".npy"), mmap_mode="r")
            if len(ends):
                self._parts.append(_Part(path, ends))
                keys.append(kept)
        self._first_rows = np.concatenate(([0], np.cumsum([len(kept) for kept in keys])))
        self._keys = np.concatenate([np.empty(0, dtype=np.int64), *keys])
        # Where they are in the files: one part after another, but where parts overlap.
        self._order = None
        if (np.diff(self._keys) < 0).any():
            self._order = np.argsort(self._keys, kind="stable")
            self._keys = self._keys[self._order]

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def last_key(self) -> int:
        """The greatest key; 0 when there is none."""
        return int(self._keys[-1]) if len(self) else 0

    def row_after(self, key: int) -> int:
        """The first row whose key is greater."""
        return int(np.searchsorted(self._keys, key, side="right"))

    def row_from(self, key: int) -> int:
        """The first row whose key is no less."""
        return int(np.searchsorted(self._keys, key, side="left"))

    def key_at(self, row: int) -> int:
        """The key of a row."""
        return int(self._keys[row])

    def page(self, row: int, limit: int) -> tuple[bytes, int]:
        """Documents from a row on, joined by commas, and the row after them."""
        following = min(row + limit, len(self))
        places = np.arange(row, following) if self._order is None else self._order[row:following]
        parts = np.searchsorted(self._first_rows, places, side="right") - 1
        texts = {}
        for number in np.unique(parts).tolist():
            # A part's own are in the order of their keys, so those of a page lie side by side.
            rows = places[parts == number] - self._first_rows[number]
            texts[number] = self._parts[number].read(int(rows[0]), int(rows[-1]) + 1)
        if len(texts) > 1:
            lines = {number: iter(text.splitlines()) for number, text in texts.items()}
            return b",".join(next(lines[number]) for number in parts.tolist()), following
        return b"".join(texts.values())[:-1].replace(b"\n", b","), following
