"""Time as each system writes it. Inside, a moment is a float: seconds since 1970, UTC."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import formatdate
from itertools import count
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
MINUTE = 60.0
HOUR = 3600.0
DAY = 86400.0
LONGEST_DAY = 25 * HOUR
"""The day on which summer time ends."""

_LOCAL_NAIVE = "%Y-%m-%d %H:%M:%S"


TICK = 0.025
"""How far a time of its own goes on whenever somebody looks at it: about what one request takes."""

_ahead = 0.0
_own: Iterator[float] | None = None


def now() -> float:
    """The real time or one of its own, plus what was skipped."""
    return (time.time() if _own is None else next(_own)) + _ahead


def skip(seconds: float) -> None:
    """Let time pass at once, for every sandbox of this process: nobody has to wait for it."""
    global _ahead
    if seconds < 0:
        raise ValueError("time does not run backwards")
    _ahead += seconds


@contextmanager
def skips_forgotten() -> Iterator[None]:
    """At the end the clock shows again what it would without the skips made meanwhile."""
    global _ahead
    before = _ahead
    try:
        yield
    finally:
        _ahead = before


@contextmanager
def time_of_its_own(begins_at: float) -> Iterator[None]:
    """Inside, it is ``begins_at``, and only skips and looks let time pass: however fast the machine
    is, the same happens at the same moments."""
    global _own
    before = _own
    # One step of a counter, which threads can't take twice.
    _own = count(begins_at - _ahead, TICK)
    try:
        with skips_forgotten():
            yield
    finally:
        _own = before


def iso_utc(moment: float) -> str:
    """OMS and admin: ``2026-11-01T05:22:33.123Z``."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text[:-6] + "Z"


def parse_iso(text: str) -> float:
    """The moment of an ISO-8601 text that names its offset. Raises ValueError."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"{text!r} names no UTC offset")
    return parsed.timestamp()


def local_naive(moment: float) -> str:
    """ERP: New York wall clock without an offset, so an hour a year is written twice."""
    return datetime.fromtimestamp(moment, NEW_YORK).isoformat(" ", "seconds")[:19]


def is_shown_twice(moment: float) -> bool:
    """Whether the ERP's wall clock shows a moment twice: in the hour when summer time ends."""
    naive = datetime.fromtimestamp(moment, NEW_YORK).replace(tzinfo=None)
    first, second = (naive.replace(tzinfo=NEW_YORK, fold=fold).timestamp() for fold in (0, 1))
    return first != second


def parse_local_naive(text: str) -> float:
    """The earlier moment that the ERP writes so. Raises ValueError."""
    return datetime.strptime(text, _LOCAL_NAIVE).replace(tzinfo=NEW_YORK).timestamp()


def is_local_naive(text: str) -> bool:
    """Whether a text is written as the ERP writes times."""
    try:
        parse_local_naive(text)
    except ValueError:
        return False
    return True


def local_with_offset(moment: float, zone: ZoneInfo) -> str:
    """Carrier: ``2026-11-01T10:22:33-05:00``."""
    return datetime.fromtimestamp(int(moment), zone).isoformat()


def http_date(moment: float) -> str:
    """The value of an HTTP Date header."""
    return formatdate(moment, usegmt=True)
