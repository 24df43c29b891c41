"""Batch files of a legacy ERP: at most every so many seconds it writes out what has changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sandbox.clock import HOUR, local_naive
from sandbox.disturbances import BROKEN_OFF, Disturbances
from sandbox.placing import place
from sandbox.store import Store
from sandbox.views.north import COLUMNS, STOCK_COLUMNS, Line, NorthErpView, total

_OVERLAP = 2 * HOUR
"""How far a file reaches back before the last one: its clock shows an hour twice in autumn."""
_LAST = "dropped_at"
_CUT = "cut_drops"
"""What files that broke off hold when they are whole, by their name and its kind."""


class DropBox:
    """The folder into which an ERP drops its files.

    Semicolons, decimal commas, Windows' letters. ``docs/DOCS_<UTC>.csv`` has the lines of all
    documents that changed since the file before, ``stock/STOCK_<UTC>.csv`` what is on hand. The
    last line of each is a trailer (``T``): the number of lines before it, and the sum of their
    quantities. A file appears whole, unless a disturbance breaks it off (``broken_off``): its kind
    is written at once, without its end, and whole under the same name when the disturbance is over.
    """

    def __init__(
        self,
        folder: Path,
        view: NorthErpView,
        store: Store,
        every: float,
        disturbances: Disturbances,
    ) -> None:
        self.folder = folder
        self.view = view
        self.store = store
        self.every = every
        self.disturbances = disturbances
        self._last: float | None = store.get(_LAST)
        self._cut: dict[str, list[str]] = store.get(_CUT) or {}
        for name in ("docs", "stock"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def write_if_due(self, now: float) -> None:
        """Write the files of this moment, if one of the times for it has passed since the last."""
        last, broken = self._last, self._broken_off(now)
        self._mend(broken)
        is_time = last is None or now // self.every != last // self.every
        if not is_time and broken in (None, *self._cut):
            return
        since = "" if last is None else local_naive(last - _OVERLAP)
        as_of = local_naive(now)
        name = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        self._write("docs", f"DOCS_{name}", COLUMNS, self.view.lines_since(since), "QTY", broken)
        self._write(
            "stock", f"STOCK_{name}", STOCK_COLUMNS, self.view.balances(as_of), "QOH", broken
        )
        self._last = now
        self._keep()

    def _broken_off(self, now: float) -> str | None:
        """The kind of files whose writing breaks off now."""
        for kind in ("docs", "stock"):
            if self.disturbances.mode(self.view.system, (BROKEN_OFF,), kind, now):
                return kind
        return None

    def _mend(self, broken: str | None) -> None:
        """Write whole what broke off, once nothing breaks off any more."""
        for kind in [kind for kind in self._cut if kind != broken]:
            name, text = self._cut.pop(kind)
            self._place(kind, name, text)
            self._keep()

    def _keep(self) -> None:
        self.store.begin()
        self.store.set(_LAST, self._last)
        self.store.set(_CUT, self._cut)
        self.store.commit()

    def _write(
        self,
        kind: str,
        name: str,
        columns: Sequence[str],
        lines: Iterable[Line],
        summed: str,
        broken: str | None,
    ) -> None:
        rows = list(lines)
        heading: Line = {column: column for column in columns}
        trailer: Line = {columns[0]: "T", columns[1]: len(rows), summed: total(rows, summed)}
        text = "".join(
            ";".join(_written(row.get(column)) for column in columns) + "\r\n"
            for row in (heading, *rows, trailer)
        )
        if kind == broken and kind not in self._cut:
            self._cut[kind] = [name, text]
            text = text[: len(text) // 2]
        self._place(kind, name, text)

    def _place(self, kind: str, name: str, text: str) -> None:
        place(self.folder / kind / f"{name}.csv", text, encoding="cp1252", newline="")


def _written(value: str | int | None) -> str:
    """A field as it writes it: numbers with a comma, moments and names as they are."""
    text = "" if value is None else str(value)
    return text.replace(".", ",") if _is_number(text) else text


def _is_number(text: str) -> bool:
    whole, point, fraction = text.removeprefix("-").partition(".")
    return bool(point) and whole.isdigit() and fraction.isdigit()
