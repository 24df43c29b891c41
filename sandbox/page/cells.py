"""A comparison side by side, as data: entries, cells, rows, and how a moment is judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sandbox.clock import DAY, HOUR, MINUTE, NEW_YORK, iso_utc

COLUMNS = ("truth", "oms", "erp", "wms", "carrier")
"""The truth, then the systems in the order in which they hear of an order."""

AGREES = "agrees"
MISSING = "missing"
DIFFERS = "differs"
EXTRA = "extra"
COMING = "coming"
PLAIN = "plain"
WRONG = frozenset({MISSING, DIFFERS, EXTRA})
"""``missing``: it happened and the system does not know; ``extra``: the system says what never
happened; ``coming``: not known yet, but on its way; ``plain``: nothing to compare with."""

_EARLY = 10 * MINUTE
"""Clocks and whole seconds explain this much before the fact, and nothing more does."""


@dataclass(frozen=True)
class Entry:
    """One thing that one system says: ``text``, the moment it names, and a note in small print."""

    text: str
    state: str = PLAIN
    note: str = ""
    at: str | None = None


@dataclass
class Row:
    """One fact: what is true, and what each system says of it. No entry: it has no say in it."""

    name: str
    cells: dict[str, list[Entry]] = field(default_factory=dict)

    def add(self, column: str, *entries: Entry) -> None:
        """Append to a cell."""
        self.cells.setdefault(column, []).extend(entries)

    def entries(self) -> Iterator[Entry]:
        """All entries of the row."""
        for cell in self.cells.values():
            yield from cell


@dataclass
class Grid:
    """Rows under a heading. ``shared``: others than the object looked at have a part in them.

    ``columns``: who may have a say, from left to right.
    """

    title: str
    rows: list[Row]
    note: str = ""
    shared: bool = False
    columns: tuple[str, ...] = COLUMNS


def count(grids: Iterable[Grid], states: frozenset[str]) -> int:
    """How many entries are in one of the states."""
    return sum(
        entry.state in states for grid in grids for row in grid.rows for entry in row.entries()
    )


def short(moment: float) -> str:
    """``25 Nov 14:02:11``, UTC; with the year when it is not near."""
    found = datetime.fromtimestamp(moment, UTC)
    near = abs(datetime.now(UTC).timestamp() - moment) < 300 * DAY
    return found.strftime("%d %b %H:%M:%S" if near else "%d %b %Y %H:%M").lstrip("0")


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``5 h``, ``3 days``."""
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * HOUR:
        return f"{seconds / MINUTE:.0f} min"
    if seconds < 2 * DAY:
        return f"{seconds / HOUR:.0f} h"
    return f"{seconds / DAY:.0f} days"


def happened(moment: float, text: str = "", note: str = "") -> Entry:
    """A fact of the truth."""
    return Entry(text or short(moment), PLAIN, note, iso_utc(moment))


def dated(said: float, true: float | None, now: float, about: str = "") -> Entry:
    """What a system dates, judged by when it happened. ``true`` None: it never did.

    ``about`` goes before the note: the number of the document that holds the date.
    """
    state, note = DIFFERS, ""
    if true is None:
        state, note = EXTRA, "never happened"
    elif said > now + HOUR:
        note = "lies in the future"
    elif said < true - _EARLY:
        note = f"{duration(true - said)} before it happened"
    else:
        state = AGREES
        note = f"{duration(said - true)} later" if said - true >= 1 else ""
    return Entry(short(said), state, joined(about, note), iso_utc(said))


def joined(*notes: str) -> str:
    """Notes in one line, those that say nothing left out."""
    return " · ".join(note for note in notes if note)


def absent(due: float | None, now: float, text: str = "knows nothing of it") -> Entry:
    """What a system should know and does not. ``due``: when it will hear of it, None for never."""
    if due is not None and due > now:
        return Entry("on its way", COMING, f"until {short(due)}", iso_utc(due))
    return Entry(text, MISSING)


def valued(said: str, true: str, coming: bool = False, note: str = "") -> Entry:
    """A value that a system holds, judged by the true one."""
    if said == true:
        return Entry(said, AGREES, note)
    return Entry(said, COMING if coming else DIFFERS, "change on its way" if coming else note)


def from_local(text: str, near: float | None = None) -> float:
    """The moment of an ERP time. Of an hour that comes twice, the one nearer to ``near``, which is
    when it happened: not the one before it, if the other is after it."""
    wall = datetime.strptime(text, "%Y-%m-%d %H:%M:%S")
    both = [wall.replace(tzinfo=NEW_YORK, fold=fold).timestamp() for fold in (0, 1)]
    if near is None:
        return both[0]
    return min(both, key=lambda moment: (moment < near - _EARLY, abs(moment - near)))
