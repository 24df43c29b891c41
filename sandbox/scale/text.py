"""Columns of text: numbers, times and JSON put together by whole columns, never by row."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sandbox.clock import NEW_YORK
from sandbox.scale.draw import NEVER

Text: TypeAlias = pa.Array
_SECONDS = pa.timestamp("s")


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
    return join(_with_a_t(column(moments).cast(pa.timestamp("ms")).cast(pa.string())), "Z")


def local(moments: Any) -> Text:
    """``2026-01-01 00:22:33`` on New York's clocks, of milliseconds; null for NEVER."""
    return _new_york(moments).cast(_SECONDS, safe=False).cast(pa.string())


def local_with_offset(moments: Any) -> Text:
    """``2026-01-01T00:22:33-05:00`` on New York's clocks, of milliseconds; null for NEVER."""
    shown = _new_york(moments)
    behind = pc.subtract(column(moments), shown.cast(pa.int64()))
    offset = join("-0", pc.divide(behind, 3_600_000).cast(pa.string()), ":00")
    return join(_with_a_t(shown.cast(_SECONDS, safe=False).cast(pa.string())), offset)


def _with_a_t(texts: Text) -> Text:
    return pc.replace_substring(texts, " ", "T", max_replacements=1)


def _new_york(moments: Any) -> pa.Array:
    return pc.local_timestamp(column(moments).cast(pa.timestamp("ms", tz=NEW_YORK.key)))


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
