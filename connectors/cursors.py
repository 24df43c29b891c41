"""Where reading goes on after a pass: pure functions, one for each way in which sources order.

A cursor must never pass a record that the source shows late, that carries a time in the future, or
that was written in the hour which daylight saving repeats. It may well reread some.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

LOCAL_FORMAT = "%Y-%m-%d %H:%M:%S"
_HOUR = timedelta(hours=1)


def instant(text: object) -> datetime | None:
    """An ISO 8601 time with a zone, in UTC; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def iso_milliseconds(moment: datetime) -> str:
    """``2026-11-01T06:30:00.000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def latest(moments: Iterable[datetime | None], now: datetime) -> datetime | None:
    """The latest moment that is not in the future; one record dated 2031 must not hide the rest."""
    return max((moment for moment in moments if moment is not None and moment <= now), default=None)


def local_naive(text: object) -> datetime | None:
    """A naive local time ``YYYY-MM-DD HH:MM:SS``; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        return datetime.strptime(text, LOCAL_FORMAT)
    except ValueError:
        return None


def is_ambiguous(local: datetime, zone: ZoneInfo) -> bool:
    """Whether the clock showed this naive time twice, because daylight saving ended."""
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    return first.utcoffset() != second.utcoffset() and _exists(local, zone)


def _exists(local: datetime, zone: ZoneInfo) -> bool:
    there_and_back = local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
    return there_and_back.replace(tzinfo=None) == local


def earliest_instant(local: datetime, zone: ZoneInfo) -> datetime:
    """The first moment at which the clock showed a naive local time."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def local_floor(cursor: datetime, overlap: timedelta, zone: ZoneInfo) -> datetime:
    """The naive local time from which to reread so that nothing after the cursor is missed.

    The overlap is subtracted in real time (local time jumps), and the result is moved before a
    repeated hour: a record written in its second run carries a time *below* the cursor.
    """
    moment = earliest_instant(cursor, zone) - overlap
    floor = moment.astimezone(zone).replace(tzinfo=None)
    while is_ambiguous(floor, zone):
        floor -= _HOUR
    return floor


class FeedPosition:
    """The position from which a numbered feed is read again.

    It lies before the first record younger than the settle window, because a source may show a
    number late. ``floor`` and ``now`` are on the source's clock; a record dated in the future says
    nothing about how settled the feed is and is passed over.
    """

    def __init__(self, start: int, floor: datetime, now: datetime) -> None:
        self._end = start
        self._unsettled: int | None = None
        self._floor = floor
        self._now = now

    def see(self, position: int, recorded: datetime | None) -> None:
        """Note the record after ``position``."""
        if (
            self._unsettled is None
            and recorded is not None
            and self._floor <= recorded <= self._now
        ):
            self._unsettled = position

    def reach(self, position: int) -> None:
        """Note that the feed was read up to ``position``."""
        self._end = position

    def __str__(self) -> str:
        return str(self._end if self._unsettled is None else min(self._unsettled, self._end))


def epoch_milliseconds(value: object) -> datetime | None:
    """Whole milliseconds since 1970 as a time in UTC; None for anything else."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    try:
        return datetime.fromtimestamp(value / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
