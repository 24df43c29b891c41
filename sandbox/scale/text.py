"""Columns of text: numbers, times and JSON put together by whole columns, never by row."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sandbox.scale.draw import NEVER

Text: TypeAlias = pa.Array


def column(values: Any) -> pa.Array:
    """Integers; moments that are NEVER become null."""
    found = np.ascontiguousarray(values, dtype=np.int64)
    return pa.array(found, mask=found == NEVER)


def digits(values: Any, width: int = 1) -> Text:
    """``0007``."""
    text = column(values).cast(pa.string())
    return pc.utf8_lpad(text, width, padding="0") if width > 1 else text


def iso(moments: Any) -> Text:
    """``2026-01-01T05:22:33.123Z`` of milliseconds; null for NEVER."""
    text = column(moments).cast(pa.timestamp("ms")).cast(pa.string())
    return join(pc.replace_substring(text, " ", "T", max_replacements=1), "Z")


def money(cents: NDArray[np.int64]) -> Text:
    """``12.50``."""
    return join(digits(cents // 100), ".", digits(cents % 100, 2))


def chosen(words: tuple[str, ...], codes: Any) -> Text:
    """A word a code."""
    return pa.array(words).take(pa.array(np.ascontiguousarray(codes, dtype=np.int64)))


def join(*parts: Text | str) -> Text:
    """Parts side by side; null where one of them is null."""
    return pc.binary_join_element_wise(*parts, "")


def quoted(text: Text) -> Text:
    """A JSON text; ``null`` for null. What is quoted must hold nothing to escape."""
    return bare(join('"', text, '"'))


def bare(text: Text) -> Text:
    """A JSON number; ``null`` for null."""
    return pc.fill_null(text.cast(pa.string()), "null")


def grouped(texts: Text, first: NDArray[np.int64]) -> Text:
    """Texts of lines joined by commas, an order each; ``first`` as ``Lines.first``."""
    lists = pa.ListArray.from_arrays(pa.array(first, type=pa.int32()), texts)
    return pc.binary_join(lists, ",")


def taken(texts: Text, rows: NDArray[np.int64]) -> Text:
    """Some rows."""
    return texts.take(pa.array(rows))


def content(documents: Text) -> tuple[pa.Buffer, NDArray[np.int64]]:
    """Documents one after another as they lie in memory, and where each ends."""
    whole = pa.concat_arrays([documents])
    _, ends, data = whole.buffers()
    offsets = np.frombuffer(ends, dtype=np.int32, count=len(whole) + 1)
    return data.slice(0, int(offsets[-1])), offsets[1:].astype(np.int64)
