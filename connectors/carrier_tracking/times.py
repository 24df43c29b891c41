"""When a scan happened: an instant with the interval that holds it, from what a carrier told.

Most carriers tell local time. Where they leave the offset out, the zone is that of the scan's place
(``regions.csv`` for countries whose regions differ, IANA's ``zone.tab`` for the others), and where
the place says nothing it is the system's own. What is not known for sure widens the interval.
"""

from __future__ import annotations

import csv
import importlib.resources
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

HERE = Path(__file__).resolve().parent
# How an instant was found; written to the contract's ``time_method``.
TOLD = "told"  # the payload says which instant it was
PLACE = "place"  # local time, in the zone of the scan's place
SYSTEM = "system"  # local time at a place that nobody can tell: the system's zone is a guess

# Local time is at most this far ahead of and behind UTC anywhere (Kiribati, Baker Island).
MOST_AHEAD, MOST_BEHIND = timedelta(hours=14), timedelta(hours=12)
_DAY = timedelta(days=1)
_LAST = timedelta(microseconds=1)


@dataclass(frozen=True)
class Place:
    """Where a scan was made, as far as told: ISO codes of country and region."""

    country: str | None = None
    region: str | None = None


@dataclass(frozen=True)
class Moment:
    """``at`` is the best guess, ``earliest`` and ``latest`` are certain; all in UTC.

    ``wall`` is the clock at the place as the carrier told it, with the offset if it was told.
    """

    at: datetime
    earliest: datetime
    latest: datetime
    wall: str
    method: str

    @property
    def identity(self) -> str:
        """The same for every way of telling this moment."""
        return utc_text(self.at) if self.method == TOLD else self.wall


def utc_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def told(instant: datetime, wall: str) -> Moment:
    """A moment that the payload tells exactly."""
    return Moment(
        instant.astimezone(UTC), instant.astimezone(UTC), instant.astimezone(UTC), wall, TOLD
    )


def at_place(local: datetime, is_day: bool, place: Place, system_zone: str) -> Moment:
    """A naive local time, or a whole day, at a place.

    A day counts from its last moment: by then it surely had happened.
    """
    zones = zones_of(place)
    wall = local.date().isoformat() if is_day else local.isoformat()
    ends = (local, local + _DAY - _LAST) if is_day else (local, local)
    if not zones:
        guess = _readings(ends[1], system_zone)[-1]
        earliest = (ends[0] - MOST_AHEAD).replace(tzinfo=UTC)
        latest = (ends[1] + MOST_BEHIND).replace(tzinfo=UTC)
        return Moment(guess, earliest, latest, wall, SYSTEM)
    usual = system_zone if system_zone in zones else zones[0]
    return Moment(
        at=_readings(ends[1], usual)[-1],
        earliest=min(reading for zone in zones for reading in _readings(ends[0], zone)),
        latest=max(reading for zone in zones for reading in _readings(ends[1], zone)),
        wall=wall,
        method=PLACE,
    )


def _readings(local: datetime, zone: str) -> list[datetime]:
    """The instants at which clocks showed a local time, in order: two when an hour is repeated."""
    info = ZoneInfo(zone)
    return sorted(local.replace(tzinfo=info, fold=fold).astimezone(UTC) for fold in (0, 1))


@lru_cache(maxsize=4096)
def zones_of(place: Place) -> tuple[str, ...]:
    """IANA zones in which a place may lie, the usual one first; none for an unknown country."""
    country = (place.country or "").strip().upper()
    country = _alpha2().get(country, country)
    region = (place.region or "").strip().upper()
    return _regions().get((country, region)) or _countries().get(country, ())


@lru_cache
def _alpha2() -> dict[str, str]:
    return {row["alpha3"]: row["alpha2"] for row in _rows("countries.csv")}


@lru_cache
def _regions() -> dict[tuple[str, str], tuple[str, ...]]:
    return {
        (row["country"], row["region"]): tuple(row["zones"].split("|"))
        for row in _rows("regions.csv")
    }


def _rows(name: str) -> Iterable[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@lru_cache
def _countries() -> dict[str, tuple[str, ...]]:
    """From IANA's zone.tab: tab-separated country code, coordinates, zone, comment."""
    table = importlib.resources.files("tzdata") / "zoneinfo" / "zone.tab"
    zones: dict[str, tuple[str, ...]] = {}
    for line in table.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            zones[country] = (*zones.get(country, ()), zone)
    return zones
